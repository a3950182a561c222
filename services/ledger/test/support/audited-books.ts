import { type BooksDerived, openAuditSnapshot, readPositions } from "@coupon/database";
import { type BatchDefinition, shardKey } from "@coupon/domain";
import { createLogReader, type LogReader } from "@coupon/events";
import { expect } from "vitest";
import { BooksAudit } from "../../src/reconciling/audit/books/audit-books.ts";
import type { BooksFinding } from "../../src/reconciling/audit/books/books-finding.ts";
import type { EntryMoney } from "../../src/reconciling/audit/books/entry-money.ts";
import { LogWalk } from "../../src/reconciling/audit/log-walk.ts";
import { BooksCorrection } from "../../src/reconciling/corrections/books-correction.ts";
import type { World } from "./world.ts";

const SILENCE_MS = 10_000;
const BYTES_MAX = 1e9;

export interface Asked {
  /** Entries compared in one walk. */
  entriesAtOnce: number;
  /** The first entry of each shard that the log still has. */
  logFrom: number;
}

/** Audits the books of a world's shards, as an audit does that has no Redis to compare. */
export class BooksAuditing {
  readonly #world: World;
  readonly #reader: LogReader;
  readonly #definitions: Map<number, BatchDefinition>;

  private constructor(world: World, reader: LogReader, definitions: BatchDefinition[]) {
    this.#world = world;
    this.#reader = reader;
    this.#definitions = new Map(definitions.map((each) => [each.batchNumber, each]));
  }

  static async open(world: World, definitions: BatchDefinition[]): Promise<BooksAuditing> {
    const { config } = world.log;
    const reader = createLogReader({ config, groupId: `${config.topicPrefix}${config.clientId}-books` });
    await reader.connect();
    return new BooksAuditing(world, reader, definitions);
  }

  /** What an audit finds. */
  async findings(as: Partial<Asked> = {}): Promise<BooksFinding[]> {
    const asked = { entriesAtOnce: 1_000_000, logFrom: 1, ...as };
    const partitions = await readPositions(this.#world.pool, [0, 1, 2]);
    const found: BooksFinding[] = [];
    for (const { partition } of partitions) found.push(...(await this.#partition(partition, asked)));
    return found;
  }

  /** The books are as the log and the coupons have them. */
  async expectClean(as?: Partial<Asked>): Promise<void> {
    expect(await this.findings(as)).toEqual([]);
  }

  /** What a correction of a shard would make of its books. */
  async correction(batch: number, shard: number): Promise<BooksDerived> {
    const { pool } = this.#world;
    const { rows } = await pool.query<{ partition: number; number: number }>(
      "SELECT partition, number FROM ledger.shard WHERE batch = $1 AND shard = $2",
      [batch, shard],
    );
    const { partition, number } = rows[0] ?? { partition: 0, number: 0 };
    const at = { batch, shard, number, correctionNumber: number + 1 };
    const snapshot = await openAuditSnapshot(pool, partition, SILENCE_MS);
    try {
      const books = await BooksCorrection.open(pool, at, this.#definitions.get(batch), BYTES_MAX);
      if (books === null) throw new Error("there are no books");
      await this.#walk(snapshot, shardKey(batch, shard), books.entries, 1);
      return await books.derive(snapshot, number, 0);
    } finally {
      await snapshot.close();
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #partition(partition: number, { entriesAtOnce: atOnce, logFrom }: Asked): Promise<BooksFinding[]> {
    const snapshot = await openAuditSnapshot(this.#world.pool, partition, SILENCE_MS);
    const found: BooksFinding[] = [];
    try {
      for (const shard of snapshot.shards) {
        const audit = BooksAudit.open(
          await snapshot.money(shard.batch, shard.shard),
          shard,
          this.#definitions.get(shard.batch),
          (finding) => void found.push(finding),
        );
        for (let from = 1; audit !== null && (from === 1 || from <= shard.number); from += atOnce) {
          const to = Math.min(shard.number, from + atOnce - 1);
          const entries = audit.entries({ from, to });
          await this.#walk(snapshot, shardKey(shard.batch, shard.shard), entries, logFrom);
          await audit.compare(snapshot, entries, to === shard.number);
        }
      }
    } finally {
      await snapshot.close();
    }
    return found;
  }

  async #walk(
    at: { partition: number; position: number },
    shard: string,
    entries: EntryMoney,
    logFrom: number,
  ): Promise<void> {
    const walk = new LogWalk(
      this.#reader,
      at.partition,
      (key) => key === shard,
      (_, entry) => {
        if (entry.number >= logFrom) entries.apply(entry);
      },
    );
    await walk.to(at.position);
    await walk.close();
  }
}
