import type { CouponKey, PostingRows, ShardBooks } from "@coupon/database";
import type { EventLines } from "./event-lines.ts";
import type { Step } from "./steps.ts";
import type { PostingTerms } from "./terms.ts";

/**
 * A shard's books within one transaction. A coupon is on them, as something that may yet be redeemed, from its issue
 * until it is redeemed, killed or swept; one that was swept under a hold, until that hold comes to its end.
 */
export class ShardPosting {
  readonly #books: ShardBooks;
  readonly #deferred: Set<number>;
  readonly #changed = new Map<number, boolean>();
  #revoked: boolean;
  /** What the coupons on the books may yet take off. */
  #liability: number;
  #overCost = 0;
  #killed = 0;

  constructor(books: ShardBooks, deferred: readonly CouponKey[]) {
    this.#books = books;
    this.#revoked = books.revoked;
    this.#liability = books.liability;
    const own = deferred.filter(({ batch, shard }) => batch === books.batch && shard === books.shard);
    this.#deferred = new Set(own.map(({ serial }) => serial));
  }

  apply(step: Step, lines: EventLines, terms: PostingTerms): void {
    const { greatestDiscount } = terms.terms;
    switch (step.kind) {
      case "issue":
        lines.commit("issue", step.coupons);
        this.#liability += step.coupons * greatestDiscount;
        break;
      case "lock":
        for (const serial of step.serials) this.#lock(serial, lines, greatestDiscount);
        break;
      case "redeem":
        for (const item of step.items) this.#redeem(item, lines, greatestDiscount);
        break;
      case "reverse":
        for (const item of step.items) this.#reverse(item, lines, greatestDiscount);
        break;
      case "deactivate":
        for (const serial of step.serials) this.#deactivate(serial, lines, greatestDiscount);
        break;
      case "revoke":
        this.#revoke(lines, greatestDiscount);
        break;
    }
  }

  writeTo(rows: PostingRows): void {
    const { batch, shard } = this.#books;
    const revoked = this.#revoked && !this.#books.revoked;
    if (revoked) rows.revoked.push({ batch, shard });
    for (const [serial, deferred] of this.#changed) {
      (deferred ? rows.deferred : rows.undeferred).push({ batch, shard, serial });
    }
    if (!revoked && this.#overCost === 0 && this.#killed === 0) return;
    rows.books.push({ batch, shard, overCost: this.#overCost, killed: this.#killed, revoked });
  }

  /** A coupon that was swept while the entry that locks it was still on its way is back until the hold ends. */
  #lock(serial: number, lines: EventLines, greatest: number): void {
    if (this.#revoked || this.#isOut(serial)) return;
    this.#reinstate(lines, greatest);
    this.#defer(serial, true);
  }

  #redeem(
    { serial, discount, parts }: { serial: number; discount: number; parts: readonly number[] },
    lines: EventLines,
    greatest: number,
  ): void {
    if (!this.#isOut(serial)) this.#reinstate(lines, greatest);
    lines.release("redeem", 1);
    lines.spend("redeem", 1, parts);
    this.#liability -= greatest;
    if (serial < this.#books.swept) this.#overCost += discount;
    this.#defer(serial, false);
  }

  /** A coupon that comes back when it is over, or when its batch is dead, comes back as nothing. */
  #reverse(
    {
      serial,
      reversed,
      parts,
      restored,
    }: {
      serial: number;
      reversed: number;
      parts: readonly number[];
      restored: boolean;
    },
    lines: EventLines,
    greatest: number,
  ): void {
    const swept = serial < this.#books.swept;
    lines.refund("reverse", 1, parts);
    if (swept) this.#overCost -= reversed;
    if (!restored || swept || this.#revoked) return;
    lines.commit("reverse", 1);
    this.#liability += greatest;
  }

  #deactivate(serial: number, lines: EventLines, greatest: number): void {
    if (serial >= this.#books.swept) this.#killed += 1;
    if (!this.#isOut(serial)) return;
    lines.release("deactivate", 1);
    this.#liability -= greatest;
    this.#defer(serial, false);
  }

  #revoke(lines: EventLines, greatest: number): void {
    if (this.#revoked) return;
    if (greatest > 0) lines.release("revoke", this.#liability / greatest);
    this.#liability = 0;
    this.#deferred.clear();
    this.#changed.clear();
    this.#revoked = true;
  }

  #reinstate(lines: EventLines, greatest: number): void {
    lines.commit("reinstate", 1);
    this.#liability += greatest;
  }

  #isOut(serial: number): boolean {
    return !this.#revoked && (serial >= this.#books.swept || this.#deferred.has(serial));
  }

  #defer(serial: number, deferred: boolean): void {
    if (this.#deferred.has(serial) === deferred) return;
    if (deferred) this.#deferred.add(serial);
    else this.#deferred.delete(serial);
    this.#changed.set(serial, deferred);
  }
}
