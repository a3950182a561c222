import { setTimeout as sleep } from "node:timers/promises";
import type { Running } from "../parts/part.ts";
import type { Child, Exit } from "./child.ts";

/** How long to wait before a restart: doubles from the first to the last while the process keeps dying. */
export interface BackOff {
  readonly firstMs: number;
  readonly lastMs: number;
  /** A process that stayed up for so long has earned the first wait again. */
  readonly resetAfterMs: number;
}

/** 250 ms, 500 ms, 1 s … 10 s; from the start again after 10 s of life. */
export const DEFAULT_BACK_OFF: BackOff = { firstMs: 250, lastMs: 10_000, resetAfterMs: 10_000 };

/** What a keeper tells while it keeps a process. */
export interface KeeperEvents {
  /** A process runs, ready or not yet: the moment to write its pid down. */
  spawned(name: string, child: Child): void;
  died(name: string, pid: number, exit: Exit, restartInMs: number): void;
  restarted(name: string, pid: number): void;
  restartFailed(name: string, error: unknown, restartInMs: number): void;
  /** It is ready, and its start found something that a person should know. */
  noticed(name: string, notice: string): void;
}

/** Starts one process (a part or a service) and resolves once it is ready. */
export type StartProcess = (onSpawn: (child: Child) => void) => Promise<Running>;

/** Keeps one process alive: starts it again, with back-off, whenever it dies unasked. */
export class Keeper {
  readonly name: string;
  readonly #start: StartProcess;
  readonly #events: KeeperEvents;
  readonly #backOff: BackOff;
  readonly #stopping = new AbortController();
  #child: Child | undefined;
  #running: Running | undefined;
  #watch: Promise<void> = Promise.resolve();
  #waitMs: number;

  constructor(name: string, start: StartProcess, events: KeeperEvents, backOff: BackOff = DEFAULT_BACK_OFF) {
    this.name = name;
    this.#start = start;
    this.#events = events;
    this.#backOff = backOff;
    this.#waitMs = backOff.firstMs;
  }

  /** The process as it runs now; `undefined` while it is down or starting. */
  get running(): Running | undefined {
    return this.#child?.exit === undefined ? this.#running : undefined;
  }

  /** The pid of the live process, ready or not; `undefined` while there is none. */
  get pid(): number | undefined {
    return this.#child?.exit === undefined ? this.#child?.pid : undefined;
  }

  /** Starts it for the first time; throws what that throws. From then on it is kept until `stop`. */
  async start(): Promise<Running> {
    const running = await this.#attempt();
    this.#watch = this.#keep(running);
    return running;
  }

  /** Ends the process in order, also one that is only starting, and keeps it no longer. Never throws. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#child?.stop();
    await this.#watch;
    await this.#child?.stop();
  }

  async #attempt(): Promise<Running> {
    this.#running = await this.#start((child) => {
      this.#child = child;
      this.#events.spawned(this.name, child);
      // Asked to stop between the decision to start and now: `stop` had no child to end.
      if (this.#stopping.signal.aborted) void child.stop();
    });
    const { notice } = this.#running;
    if (notice !== undefined) this.#events.noticed(this.name, notice);
    return this.#running;
  }

  async #keep(first: Running): Promise<void> {
    let running: Running | undefined = first;
    while (running !== undefined) {
      const since = performance.now();
      const exit = await running.child.exited;
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - since >= this.#backOff.resetAfterMs) this.#waitMs = this.#backOff.firstMs;
      this.#events.died(this.name, running.pid, exit, this.#waitMs);
      running = await this.#restart();
    }
  }

  /** Tries until it is ready again; `undefined` when asked to stop meanwhile. */
  async #restart(): Promise<Running | undefined> {
    for (;;) {
      if (!(await this.#pause())) return undefined;
      try {
        const running = await this.#attempt();
        this.#events.restarted(this.name, running.pid);
        return running;
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined;
        this.#events.restartFailed(this.name, error, this.#waitMs);
      }
    }
  }

  async #pause(): Promise<boolean> {
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMs * 2, this.#backOff.lastMs);
    try {
      await sleep(waitMs, undefined, { signal: this.#stopping.signal });
      return true;
    } catch {
      return false;
    }
  }
}
