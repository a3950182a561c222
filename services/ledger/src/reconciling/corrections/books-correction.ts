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

/** Entries that may be applied while the log is read, before the shard is held. */
const MORE_ENTRIES = 10_000;
/** Lines that one correction posts at most; where more are wrong, the next one goes on. */
const LINES_MAX = 10_000;

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
    const window = { from: 1, to: at.number + MORE_ENTRIES };
    if (audit === null || audit.bytesOf(window.to) > bytesMax) return null;
    return new BooksCorrection(at, before, definition, audit.entries(window));
  }

  /**
   * What the books must be, as far as that is known. To be called while the shard is held at its entry `number`.
   *
   * @throws where the shard was swept, or too much was applied, since the entries were begun: once more, then
   */
  async derive(source: BooksSource, number: number, nowMs: number): Promise<BooksDerived> {
    const { batch, shard, correctionNumber } = this.#at;
    const books = await source.money(batch, shard);
    if (number > this.entries.window.to || sweptAs(books) !== sweptAs(this.#before)) {
      throw new Error(`shard ${batch}.${shard} has gone on too far; once more`);
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

/** What of the books the entries were taken in by. */
function sweptAs({ swept, deferred, deferredInVain, notDeferred }: ShardMoney): string {
  return JSON.stringify([swept, deferred.toSorted((a, b) => a - b), deferredInVain, notDeferred]);
}
