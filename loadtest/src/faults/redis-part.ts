import { appendFileSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { askRedis, type Running, startRedis } from "@coupon/stack";
import { eventually, type FaultProxy } from "@coupon/testkit";

const FILE = "appendonlydir";
/** What the kernel has survives a kill of the process, so nothing is flushed. */
const SETTINGS = ["appendonly yes", "appendfsync no"];
/** Longer than any value: however a file was cut before it, Redis finds a letter where a command must begin. */
const GARBAGE = "X".repeat(64 << 10);

/**
 * What is cut short: the file that is appended to, the same with a Redis that takes no such file or with garbage behind
 * the cut, the base below that file, or the list of both.
 */
export type Damage = "cut" | "cut_strictly" | "garbage" | "base" | "manifest";

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
    this.#fileBytesBefore = statSync(this.#file(".incr.aof")).size;
  }

  async wipe(): Promise<void> {
    await askRedis(this.#server.port, "FLUSHALL");
  }

  async restart(signal: NodeJS.Signals, awayMs: number): Promise<void> {
    await this.#end(signal);
    await sleep(awayMs);
    await this.#start();
  }

  /**
   * Killed, and started with a file that was cut at a byte: the `at`th, counted round and round; of the appended file
   * only what was written since `reset` is cut. Empty where Redis does not start with what is left.
   */
  async truncate(damage: Damage, at: number, awayMs: number): Promise<"shortened" | "emptied"> {
    await this.#end("SIGKILL");
    const appended = damage !== "base" && damage !== "manifest";
    const file = this.#file(appended ? ".incr.aof" : damage === "base" ? ".base.rdb" : ".manifest");
    const { size } = statSync(file);
    const from = appended ? Math.min(this.#fileBytesBefore, size) : 0;
    truncateSync(file, from + (at % (size - from + 1)));
    if (damage === "garbage") appendFileSync(file, GARBAGE);
    await sleep(awayMs);
    await this.#start(damage === "cut_strictly" ? ["aof-load-truncated no"] : []);
    if (this.#server.notice === undefined) return "shortened";
    this.#fileBytesBefore = 0;
    return "emptied";
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

  async #start(settings: readonly string[] = []): Promise<void> {
    const { port } = this.#server;
    const all = [...SETTINGS, ...settings];
    this.#server = await startRedis({ directory: this.#home, port, ephemeral: true, settings: all });
  }

  #file(end: string): string {
    const folder = join(this.#home, "data", FILE);
    const name = readdirSync(folder).find((file) => file.endsWith(end));
    if (name === undefined) throw new Error(`there is no ${end} in ${folder}`);
    return join(folder, name);
  }
}
