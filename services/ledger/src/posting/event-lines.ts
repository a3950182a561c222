import type { PostingLine } from "@coupon/database";
import type { PostingAccount, PostingEvent } from "@coupon/domain";
import type { PostingTerms } from "./terms.ts";

/** What a line is traced to: an entry, or the last one before a sweep. */
export interface Reference {
  batch: number;
  shard: number;
  number: number;
  atMs: number;
}

interface Sum {
  event: PostingEvent;
  account: PostingAccount;
  coupons: number;
  parts: number[];
}

/** The lines of one reference, added up by event, account and party. */
export class EventLines {
  readonly #reference: Reference;
  readonly #terms: PostingTerms;
  readonly #sums: Sum[] = [];

  constructor(reference: Reference, terms: PostingTerms) {
    this.#reference = reference;
    this.#terms = terms;
  }

  /** Coupons are out that were not, or that nobody counted on any more. */
  commit(event: PostingEvent, coupons: number): void {
    this.#move(event, "commitment", "liability", coupons, this.#greatest(coupons));
  }

  /** Coupons are out no longer. */
  release(event: PostingEvent, coupons: number): void {
    this.#move(event, "liability", "commitment", coupons, this.#greatest(coupons));
  }

  /** Coupons have cost something. */
  spend(event: PostingEvent, coupons: number, parts: readonly number[]): void {
    this.#move(event, "cost", "payable", coupons, parts);
  }

  /** Something of what coupons have cost is given back. */
  refund(event: PostingEvent, coupons: number, parts: readonly number[]): void {
    this.#move(event, "payable", "cost", coupons, parts);
  }

  /** Adds the lines to others; those of nothing are left out. */
  written(lines: PostingLine[]): PostingLine[] {
    const { batch, shard, number, atMs } = this.#reference;
    for (const { event, account, coupons, parts } of this.#sums) {
      for (const [index, amount] of parts.entries()) {
        if (amount === 0) continue;
        const party = this.#terms.parties[index] as string;
        lines.push({ batch, shard, number, atMs, event, account, party, amount, coupons });
      }
    }
    return lines;
  }

  #greatest(coupons: number): number[] {
    return this.#terms.greatestParts.map((part) => part * coupons);
  }

  #move(
    event: PostingEvent,
    debit: PostingAccount,
    credit: PostingAccount,
    coupons: number,
    parts: readonly number[],
  ): void {
    if (coupons === 0) return;
    this.#add(event, debit, coupons, parts, 1);
    this.#add(event, credit, coupons, parts, -1);
  }

  #add(event: PostingEvent, account: PostingAccount, coupons: number, parts: readonly number[], sign: 1 | -1): void {
    let sum = this.#sums.find((each) => each.event === event && each.account === account);
    if (sum === undefined) {
      sum = { event, account, coupons: 0, parts: parts.map(() => 0) };
      this.#sums.push(sum);
    }
    sum.coupons += coupons;
    for (const [index, part] of parts.entries()) sum.parts[index] = (sum.parts[index] as number) + sign * part;
  }
}
