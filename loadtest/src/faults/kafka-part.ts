import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Running, startKafka } from "@coupon/stack";
import type { FaultProxy } from "@coupon/testkit";

const GIVES_UP_WITHIN_MS = 5_000;

/** Where a broker listens: for the simulator itself, and for each proxy apart. */
export interface KafkaPorts {
  readonly port: number;
  readonly controllerPort: number;
  /** One for each proxy. */
  readonly behind: readonly number[];
}

/** A broker of the simulator's own. Each process is told of a proxy of its own by a listener of its own. */
export class KafkaPart {
  readonly #start: () => Promise<Running>;
  #broker: Running;

  private constructor(start: () => Promise<Running>, broker: Running) {
    this.#start = start;
    this.#broker = broker;
  }

  static async start(directory: string, ports: KafkaPorts, proxies: readonly FaultProxy[]): Promise<KafkaPart> {
    const { port, controllerPort } = ports;
    const each = (tell: (index: number) => string): string => proxies.map((_, index) => tell(index)).join(",");
    const settings = [
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},${each((i) => `P${i}://127.0.0.1:${ports.behind[i]}`)}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port},${each((i) => `P${i}://127.0.0.1:${proxies[i]?.port}`)}`,
      `listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,${each((i) => `P${i}:PLAINTEXT`)}`,
      "inter.broker.listener.name=PLAINTEXT",
      // Topics of schedules that are over go soon.
      "log.segment.delete.delay.ms=1000",
    ];
    const start = () => startKafka({ directory, port, controllerPort, ephemeral: true, heapMiB: 384, settings });
    return new KafkaPart(start, await start());
  }

  get brokers(): string {
    return this.#broker.url;
  }

  async pause(lastsMs: number): Promise<void> {
    this.#broker.kill("SIGSTOP");
    await sleep(lastsMs);
    this.#broker.kill("SIGCONT");
  }

  async restart(signal: NodeJS.Signals, awayMs: number): Promise<void> {
    this.#broker.kill(signal);
    await this.#broker.child.exited;
    await sleep(awayMs);
    this.#broker = await this.#start();
  }

  /**
   * No file may grow any more, as when the disk is full; a broker gives up its only log folder then, and ends.
   * Later there is room again, and it is started.
   *
   * @param append writes something to the log, and throws where that is refused
   * @returns how many of these were refused by the time the broker had given up; 0 where it never did
   */
  async fillDisk(fullMs: number, append: () => Promise<void>): Promise<number> {
    await promisify(execFile)("prlimit", ["--pid", String(this.#broker.pid), "--fsize=1"]);
    const broker = this.#broker.child;
    let refused = 0;
    const gaveUp = await Promise.race([
      broker.exited.then(() => true),
      sleep(GIVES_UP_WITHIN_MS, false, { ref: false }),
      (async () => {
        while (broker.exit === undefined) {
          await append().catch(() => {
            refused += 1;
          });
        }
        return true;
      })(),
    ]);
    await sleep(fullMs);
    await this.restart("SIGKILL", 0);
    return gaveUp ? refused : 0;
  }

  async stop(): Promise<void> {
    this.#broker.kill("SIGCONT");
    await this.#broker.stop();
  }
}
