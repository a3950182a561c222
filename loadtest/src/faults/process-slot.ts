import { setTimeout as sleep } from "node:timers/promises";
import { type ServiceProcess, StackFailure, startServiceProcess, uniqueName } from "@coupon/testkit";

/** A process that may be killed, stopped and started again at one and the same address. */
export class ProcessSlot {
  readonly port: number;
  readonly #main: string;
  readonly #env: Record<string, string>;
  #running: ServiceProcess | null = null;
  #starting: Promise<void> | null = null;
  #isOver = false;

  constructor(service: "issuing" | "ledger", port: number, env: Record<string, string>) {
    this.port = port;
    this.#main = `services/${service}/src/main.ts`;
    this.#env = env;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it unless it runs; again and again where a fault is in the way. */
  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    while (!this.#isOver && (this.#running === null || this.#running.child.exit !== undefined)) {
      try {
        const env = { ...this.#env, PROCESS_ID: uniqueName("p") };
        this.#running = await startServiceProcess({ main: this.#main, env, port: this.port, readyTimeoutMs: 10_000 });
      } catch (error) {
        if (!(error instanceof StackFailure)) throw error;
        await sleep(100);
      }
    }
    if (this.#isOver) this.signal("SIGKILL");
  }

  signal(signal: NodeJS.Signals): void {
    this.#running?.kill(signal);
  }

  /** Ends it by a signal, waits until it is gone and starts it again. */
  async restart(signal: "SIGKILL" | "SIGTERM", downMs: number): Promise<void> {
    this.signal(signal);
    await this.#running?.child.exited;
    await sleep(downMs);
    await this.start();
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.signal("SIGKILL");
    await this.#running?.child.exited;
    await this.#starting;
  }

  output(): string {
    return this.#running?.output() ?? "";
  }
}
