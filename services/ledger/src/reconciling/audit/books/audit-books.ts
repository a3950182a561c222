import type { BatchTerms, BooksSource, ShardMoney, ShardRow } from "@coupon/database";
import type { BatchDefinition } from "@coupon/domain";
import { type PostingTerms, TermsBook, termsOf } from "../../../posting/terms.ts";
import type { ReportBooks } from "./books-finding.ts";
import { canonical, compareTotals, compareTransfers, type MoneyTold, toldByRows } from "./compare-money.ts";
import { BYTES_A_PART, BYTES_AN_ENTRY, EntryMoney, type EntryWindow } from "./entry-money.ts";
import { JournalCheck } from "./journal-check.ts";

/**
 * Compares a shard's books (its journal, the balances, what the sweep has counted, transfers) with the log, which says what
 * each entry must have brought, and with the coupons, which say what all of it must have come to. Entries are compared in
 * windows, one after the other; each window takes a walk over the log.
 */
export class BooksAudit {
  readonly #shard: Pick<ShardRow, "batch" | "shard" | "number">;
  readonly #books: ShardMoney;
  readonly #terms: PostingTerms;
  readonly #definition: BatchDefinition | undefined;
  readonly #check: JournalCheck;
  readonly #report: ReportBooks;

  private constructor(
    shard: Pick<ShardRow, "batch" | "shard" | "number">,
    books: ShardMoney,
    terms: PostingTerms,
    definition: BatchDefinition | undefined,
    report: ReportBooks,
  ) {
    this.#shard = shard;
    this.#books = books;
    this.#terms = terms;
    this.#definition = definition;
    this.#report = report;
    this.#check = new JournalCheck(terms, books, shard.number, report);
  }

  /**
   * Null where the shard has no books yet, or nobody knows its batch's terms.
   *
   * @param report is told what is found, as it is found
   */
  static open(
    books: ShardMoney,
    shard: Pick<ShardRow, "batch" | "shard" | "number">,
    definition: BatchDefinition | undefined,
    report: ReportBooks,
  ): BooksAudit | null {
    const known = new TermsBook();
    if (definition !== undefined) known.put(definition);
    else if (books.terms !== null) known.load([books.terms]);
    const terms = known.of(shard.batch);
    if (terms === undefined || (!books.opened && books.journal.length === 0)) return null;
    return new BooksAudit(shard, books, terms, definition, report);
  }

  /** What the balances must be; to be asked when all has been compared. */
  get balances(): JournalCheck["sums"] {
    return this.#check.sums;
  }

  /** The terms that the batch was published with; null where it is not known any more. */
  get publishedTerms(): BatchTerms | null {
    return this.#definition === undefined ? null : termsOf(this.#definition);
  }

  /** Whether a correction may post what it has found wrong in the journal; to be asked when all has been compared. */
  isRepairable(told: MoneyTold | null): boolean {
    return this.#check.isRepairable(told !== null);
  }

  /** Bytes that so many entries take while they are compared. */
  bytesOf(entries: number): number {
    return entries * (BYTES_AN_ENTRY + BYTES_A_PART * this.#terms.parties.length);
  }

  /** Takes in the entries of a window, and of all the shard what they come to. */
  entries(window: EntryWindow): EntryMoney {
    return new EntryMoney(window, this.#shard.number, this.#books, this.#terms);
  }

  /**
   * Compares a window's lines, once its entries have been taken in; with the last one all the rest.
   *
   * @returns after the last window what the coupons say that the books must come to, where the journal comes to it once its
   * lines are set right: else null
   */
  async compare(source: BooksSource, money: EntryMoney, isLast: boolean): Promise<MoneyTold | null> {
    const { batch, shard } = this.#shard;
    const { from, to } = money.window;
    const range = { from: from === 1 ? Number.MIN_SAFE_INTEGER : from, to: isLast ? Number.MAX_SAFE_INTEGER : to };
    await source.journal({ batch, shard, ...range }, (line) => this.#check.take(line, money));
    this.#check.passTo(Math.min(to, this.#shard.number) + 1, money);
    return isLast ? this.#compareRest(source, money) : null;
  }

  async #compareRest(source: BooksSource, money: EntryMoney): Promise<MoneyTold | null> {
    const { batch, shard } = this.#shard;
    const [books, terms] = [this.#books, this.#terms];
    const report = this.#report;
    const told = money.isWhole ? money : toldByRows(await source.moneyFacts(batch, shard, books), terms);
    const agrees = compareTotals(this.#check, told, { books, terms }, report);
    compareTransfers(money, books, report);
    if (shard === 0) this.#compareTerms(report);
    return agrees ? told : null;
  }

  #compareTerms(report: ReportBooks): void {
    const [expected, found] = [this.publishedTerms, this.#books.terms];
    if (expected === null || (found === null && this.#books.journal.length === 0)) return;
    if (canonical(expected) !== canonical(found)) report({ kind: "terms", serial: null, expected, found });
  }
}
