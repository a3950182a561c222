import { type Pool, readPositions } from "@coupon/database";
import type { LogReader } from "@coupon/events";

/** Compares PostgreSQL with the log as a whole, whichever processes apply it. */
export class LogEnds {
  readonly #pool: Pool;
  readonly #reader: LogReader;
  readonly #partitions: number[];

  /** @param reader need not have joined its group: only ends are asked for */
  constructor(pool: Pool, reader: LogReader, partitions: number) {
    this.#pool = pool;
    this.#reader = reader;
    this.#partitions = Array.from({ length: partitions }, (_, partition) => partition);
  }

  /**
   * Whether everything that was in the log at the call is in PostgreSQL; false where the log can't be asked.
   *
   * @throws the database's error
   */
  async areApplied(): Promise<boolean> {
    const ends = await this.ends();
    if (ends === null) return false;
    const positions = new Map<number, number>();
    for (const { partition, position } of await readPositions(this.#pool, this.#partitions)) {
      positions.set(partition, position);
    }
    return ends.every((end, partition) => (positions.get(partition) ?? 0) >= end);
  }

  /** Offset that the next message of each partition will get, now; null where the log can't be asked. */
  ends(): Promise<readonly number[] | null> {
    return Promise.all(this.#partitions.map((partition) => this.#reader.end(partition))).catch(() => null);
  }

  /** Whether the log answers. */
  async reachable(): Promise<boolean> {
    return this.#reader.end(0).then(
      () => true,
      () => false,
    );
  }
}
