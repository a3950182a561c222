import { setTimeout as sleep } from "node:timers/promises";

/** What is waited for: of each partition, an offset that must have been applied. */
export type ReadAfter = ReadonlyMap<number, number>;

export interface AppliedPositionsOptions {
  /** Positions as PostgreSQL has them, of these partitions. */
  readPositions: (partitions: number[]) => Promise<{ partition: number; position: number }[]>;
  /** Between two looks at PostgreSQL, which knows of partitions that another process applies. */
  pollMs: number;
  /** Reads that may wait at once; further ones are told at once that it took too long. */
  waitingMax: number;
}

interface Waiting {
  after: ReadAfter;
  done: (applied: boolean) => void;
}

/** Knows how far each partition has been applied, here or elsewhere, and lets reads wait for it. */
export class AppliedPositions {
  readonly #options: AppliedPositionsOptions;
  readonly #positions = new Map<number, number>();
  readonly #waiting = new Set<Waiting>();
  #polling = false;

  constructor(options: AppliedPositionsOptions) {
    this.#options = options;
  }

  /** A transaction has been committed: everything before `position` is applied. */
  advance(partition: number, position: number): void {
    if (position <= (this.#positions.get(partition) ?? -1)) return;
    this.#positions.set(partition, position);
    for (const waiting of this.#waiting) if (this.#reached(waiting.after)) waiting.done(true);
  }

  /**
   * Waits until everything in `after` has been applied. False where that took longer than `timeoutMs`.
   *
   * @throws the database's error where it is asked and does not answer
   */
  async wait(after: ReadAfter, timeoutMs: number): Promise<boolean> {
    if (this.#reached(after)) return true;
    await this.#look([...after.keys()]);
    if (this.#reached(after)) return true;
    if (this.#waiting.size >= this.#options.waitingMax) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiting.done(false), timeoutMs);
      const waiting: Waiting = {
        after,
        done: (applied) => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve(applied);
        },
      };
      this.#waiting.add(waiting);
      void this.#poll();
    });
  }

  #reached(after: ReadAfter): boolean {
    for (const [partition, offset] of after) if ((this.#positions.get(partition) ?? 0) <= offset) return false;
    return true;
  }

  async #look(partitions: number[]): Promise<void> {
    for (const { partition, position } of await this.#options.readPositions(partitions)) {
      this.advance(partition, position);
    }
  }

  /** One poll for all who wait, for as long as somebody does. */
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    while (this.#waiting.size > 0) {
      await sleep(this.#options.pollMs);
      const partitions = new Set([...this.#waiting].flatMap(({ after }) => [...after.keys()]));
      // While PostgreSQL is away those who wait run into their time-outs.
      await this.#look([...partitions]).catch(() => {});
    }
    this.#polling = false;
  }
}
