import { type BooksDerived, type BooksSource, type Pool, readShardMoney, type ShardMoney } from "@coupon/database";
import type { BatchDefinition } from "@coupon/domain";
import { BooksAudit } from "../audit/books/audit-books.ts";
import type { EntryMoney } from "../audit/books/entry-money.ts";

interface At {
  batch: number;
  shard: number;
  /** The shard's last entry, and the one that carries the correction. */
  number: number;
  correctionNumber: number;
}

/** Entries that may at least be applied while the log is read, before the shard is held; or as many again as it has. */
const MORE_ENTRIES = 10_000;
/** Lines that one correction posts at most; where more are wrong, the next one goes on. */
const LINES_MAX = 10_000;

/** The shard has gone on while the log was read, further than what was taken in allows for: once more, but not at once. */
export class Outrun extends Error {
  override name = "Outrun";
}

/** Derives a shard's books anew: what the log says of its entries is taken in first, the books are read under the lock. */
export class BooksCorrection {
  readonly entries: EntryMoney;
  readonly #at: At;
  readonly #before: ShardMoney;
  readonly #definition: BatchDefinition | undefined;

  private constructor(at: At, before: ShardMoney, definition: BatchDefinition | undefined, entries: EntryMoney) {
    this.#at = at;
    this.#before = before;
    this.#definition = definition;
    this.entries = entries;
  }

  /** Null where the shard has no books, or more entries than `bytesMax` holds: then they stay as they are. */
  static async open(
    pool: Pool,
    at: At,
    definition: BatchDefinition | undefined,
    bytesMax: number,
  ): Promise<BooksCorrection | null> {
    const before = await readShardMoney(pool, at.batch, at.shard);
    const audit = BooksAudit.open(before, { ...at, number: Number.MAX_SAFE_INTEGER }, definition, () => {});
    if (audit === null || audit.bytesOf(at.number + MORE_ENTRIES) > bytesMax) return null;
    const room = Math.floor(bytesMax / audit.bytesOf(1));
    const to = Math.min(room, Math.max(2 * at.number, at.number + MORE_ENTRIES));
    return new BooksCorrection(at, before, definition, audit.entries({ from: 1, to }));
  }

  /**
   * What the books must be, as far as that is known. To be called while the shard is held at its entry `number`.
   *
   * @throws Outrun where the shard was swept, or too much was applied, since the entries were begun
   */
  async derive(source: BooksSource, number: number, nowMs: number): Promise<BooksDerived> {
    const { batch, shard, correctionNumber } = this.#at;
    const books = await source.money(batch, shard);
    if (number > this.entries.window.to || !isSweptAlike(this.#before, books)) {
      throw new Outrun(`shard ${batch}.${shard} has gone on too far since its log was read`);
    }
    const lines: BooksDerived["lines"] = [];
    let left = 0;
    const audit = BooksAudit.open(books, { batch, shard, number }, this.#definition, ({ mend = [] }) => {
      if (mend === null || lines.length + mend.length > LINES_MAX) left += 1;
      else lines.push(...mend.map((line) => ({ ...line, atMs: line.atMs ?? nowMs })));
    });
    if (audit === null) throw new Error(`the books of shard ${batch}.${shard} are gone`);
    const told = await audit.compare(source, this.entries, true);
    const isRepairable = audit.isRepairable(told);
    return {
      correctionNumber,
      lines: isRepairable ? lines : [],
      balances: told === null || left > 0 || !isRepairable ? null : [...audit.balances.values()],
      counters: told === null || !isRepairable ? null : { ...told, revoked: told.revoked ?? books.revoked },
      deferred: { added: books.notDeferred, removed: books.deferredInVain },
      transfers: { from: this.entries.toldFrom, rows: [...this.entries.transfers.values()] },
      terms: audit.publishedTerms,
    };
  }
}

/**
 * Whether the entries, taken in by the books as they were before, come to the same by those of now. A coupon put off that is
 * so no more was redeemed or killed, for it was not swept: then it counts for nothing either way.
 */
function isSweptAlike(before: ShardMoney, now: ShardMoney): boolean {
  const kept = new Set(keptBy(before));
  return now.swept === before.swept && keptBy(now).every((serial) => kept.has(serial));
}

/** Swept coupons that are on the books all the same. */
function keptBy({ deferred, notDeferred, deferredInVain }: ShardMoney): number[] {
  const inVain = new Set(deferredInVain);
  return [...deferred, ...notDeferred].filter((serial) => !inVain.has(serial));
}
