import { readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { askRedis, type Running, StackFailure, startRedis } from "@coupon/stack";
import { eventually, type FaultProxy } from "@coupon/testkit";

const FILE = "appendonlydir";
/** What the kernel has survives a kill of the process, so nothing is flushed. */
const SETTINGS = ["appendonly yes", "appendfsync no"];

/** A Redis of the simulator's own behind a proxy for each process, that may fall, forget and fail over. */
export class RedisPart {
  readonly #folder: string;
  readonly #proxies: readonly FaultProxy[];
  #server: Running;
  #home: string;
  #servers = 1;
  #fileBytesBefore = 0;

  private constructor(folder: string, proxies: readonly FaultProxy[], server: Running, home: string) {
    this.#folder = folder;
    this.#proxies = proxies;
    this.#server = server;
    this.#home = home;
    for (const proxy of proxies) proxy.retarget({ port: server.port });
  }

  static async start(folder: string, proxies: readonly FaultProxy[]): Promise<RedisPart> {
    const home = join(folder, "redis-1");
    return new RedisPart(
      folder,
      proxies,
      await startRedis({ directory: home, ephemeral: true, settings: SETTINGS }),
      home,
    );
  }

  get url(): string {
    return this.#server.url;
  }

  /** Forgets what earlier schedules left, and remembers where this one begins. */
  async reset(): Promise<void> {
    await this.wipe();
    this.#fileBytesBefore = statSync(this.#file()).size;
  }

  async wipe(): Promise<void> {
    await askRedis(this.#server.port, "FLUSHALL");
  }

  async restart(signal: NodeJS.Signals, awayMs: number): Promise<void> {
    await this.#end(signal);
    await sleep(awayMs);
    await this.#start();
  }

  /** Comes back with a part of what it wrote since `reset`; empty where it doesn't start with that. */
  async truncate(keepPerMille: number, awayMs: number): Promise<"shortened" | "emptied"> {
    await this.#end("SIGKILL");
    const file = this.#file();
    const from = Math.min(this.#fileBytesBefore, statSync(file).size);
    truncateSync(file, from + Math.floor(((statSync(file).size - from) * keepPerMille) / 1_000));
    await sleep(awayMs);
    try {
      await this.#start();
      return "shortened";
    } catch (error) {
      if (!(error instanceof StackFailure)) throw error;
      rmSync(join(this.#home, "data", FILE), { recursive: true, force: true });
      await this.#start();
      return "emptied";
    }
  }

  /** Promotes a replica that has lagged for `lagMs`; the processes of `moved` go there at once, the others later. */
  async failOver(lagMs: number, moved: number, oldMasterMs: number): Promise<void> {
    this.#servers += 1;
    const home = join(this.#folder, `redis-${this.#servers}`);
    const old = { server: this.#server, home: this.#home };
    const replica = await startRedis({ directory: home, ephemeral: true, settings: SETTINGS });
    await askRedis(replica.port, "REPLICAOF", "127.0.0.1", String(old.server.port));
    await eventually(async () =>
      String(await askRedis(replica.port, "INFO", "replication")).includes("master_link_status:up"),
    );
    await askRedis(replica.port, "REPLICAOF", "NO", "ONE");
    await sleep(lagMs);
    const move = (goes: (index: number) => boolean): void => {
      for (const proxy of this.#proxies.filter((_, index) => goes(index))) {
        proxy.retarget({ port: replica.port });
        proxy.cutAll();
      }
    };
    move((index) => (moved & (1 << index)) !== 0);
    await sleep(oldMasterMs);
    move((index) => (moved & (1 << index)) === 0);
    this.#server = replica;
    this.#home = home;
    this.#fileBytesBefore = 0;
    await old.server.stop();
    rmSync(old.home, { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#server.kill(signal);
    await this.#server.child.exited;
  }

  async #start(): Promise<void> {
    const { port } = this.#server;
    this.#server = await startRedis({ directory: this.#home, port, ephemeral: true, settings: SETTINGS });
  }

  #file(): string {
    const folder = join(this.#home, "data", FILE);
    const name = readdirSync(folder).find((file) => file.endsWith(".incr.aof"));
    if (name === undefined) throw new Error(`there is no append-only file in ${folder}`);
    return join(folder, name);
  }
}
