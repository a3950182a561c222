import type { BatchTerms, CouponKey, PostingRows, PostingWork, ShardBooks } from "@coupon/database";
import { type Entry, shardKey } from "@coupon/domain";
import { EventLines, type Reference } from "./event-lines.ts";
import { ShardPosting } from "./shard-posting.ts";
import { couponsOf, type Step, stepOf } from "./steps.ts";
import type { PostingTerms, TermsSource } from "./terms.ts";

interface Posting {
  reference: Reference;
  terms: PostingTerms;
  step: Step;
}

/**
 * What the entries of one transaction mean in money, gathered in the order of the log. Lines are made of it inside
 * the transaction, when it is known how far the books of the shards have come. Used again after `clear`.
 */
export class Journal {
  readonly #source: TermsSource;
  #postings: Posting[] = [];
  #terms: BatchTerms[] = [];

  constructor(source: TermsSource) {
    this.#source = source;
  }

  clear(): void {
    this.#postings = [];
    this.#terms = [];
  }

  /**
   * Adds an entry that counts.
   *
   * @throws where the batch's terms are not known, or the entry does not agree with them
   */
  add(entry: Entry): void {
    const terms = this.#source.of(entry.batch);
    if (terms === undefined) throw new Error(`the terms of batch ${entry.batch} are not known`);
    const step = stepOf(entry, terms);
    if (step === null) return;
    const { batch, shard, number, at: atMs } = entry;
    this.#postings.push({ reference: { batch, shard, number, atMs }, terms, step });
  }

  work(): PostingWork {
    this.#terms = this.#source.unstored(new Set(this.#postings.map(({ reference }) => reference.batch)));
    const beyondIssues = this.#postings.filter(({ step }) => step.kind !== "issue");
    const shards = new Map(
      beyondIssues.map(({ reference: { batch, shard } }) => [shardKey(batch, shard), { batch, shard }]),
    );
    return {
      terms: this.#terms,
      shards: [...shards.values()],
      coupons: beyondIssues.flatMap(({ reference, step }) => couponsOf(reference, step)),
      post: (books, deferred) => this.#post(books, deferred),
    };
  }

  /** The work has been committed. */
  committed(): void {
    this.#source.stored(this.#terms);
  }

  #post(books: ShardBooks[], deferred: CouponKey[]): PostingRows {
    const shards = new Map(books.map((each) => [shardKey(each.batch, each.shard), new ShardPosting(each, deferred)]));
    const rows: PostingRows = { lines: [], books: [], deferred: [], undeferred: [], revoked: [] };
    for (const { reference, terms, step } of this.#postings) {
      const lines = new EventLines(reference, terms);
      const shard = shards.get(shardKey(reference.batch, reference.shard));
      if (shard !== undefined) shard.apply(step, lines, terms);
      else if (step.kind === "issue") lines.commit("issue", step.coupons);
      else throw new Error(`the books of shard ${reference.batch}.${reference.shard} were not read`);
      lines.written(rows.lines);
    }
    for (const shard of shards.values()) shard.writeTo(rows);
    return rows;
  }
}
