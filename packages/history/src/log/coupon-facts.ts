import {
  couponTransition,
  couponWindow,
  type Entry,
  greatestDiscount,
  judgeReversal,
  type LockItem,
  type RedeemItem,
  type ReleaseItem,
  type ReverseItem,
} from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { PromiseName } from "../history.ts";
import { same } from "../same.ts";
import { type At, type CouponBook, type CouponStory, type Fact, nameOf, placeOf, type Redemption } from "./books.ts";

type ItemsEntry = Extract<Entry, { kind: "lock" | "redeem" | "release" | "reverse" | "deactivate" }>;

/** A release keeps its order from locking the coupon for so long. */
const RELEASED_MS = 86_400_000;
/** Codes of the state of a coupon's row. */
const ROW = { touched: 1, locked: 2, redeemed: 3, deactivated: 4 } as const;

/** Applies an entry's items, each held to what its coupon's story allows at that point. */
export function applyItems(entry: ItemsEntry, at: At, findings: Findings): void {
  for (const item of entry.items) {
    const coupon = at.shard.coupons[item.serial];
    if (coupon === undefined) {
      findings.add(
        "phantom",
        `entry ${at.number} is about serial ${item.serial}, which was never issued`,
        [],
        [placeOf(at)],
      );
      continue;
    }
    coupon.story ??= { state: "effective", rowState: 0, hold: null, holdRow: null, redemption: null, facts: [] };
    const step = new Step(coupon, coupon.story, entry.at, at, findings);
    if ("userId" in item && item.userId !== coupon.userId) {
      step.wrong("not_owned", `is user ${coupon.userId}'s, not ${item.userId}'s`);
    }
    step.apply(entry.kind, item);
  }
}

/** One item's step in a coupon's story. */
class Step {
  readonly #coupon: CouponBook;
  readonly #story: CouponStory;
  readonly #atMs: number;
  readonly #at: At;
  readonly #findings: Findings;

  constructor(coupon: CouponBook, story: CouponStory, atMs: number, at: At, findings: Findings) {
    this.#coupon = coupon;
    this.#story = story;
    this.#atMs = atMs;
    this.#at = at;
    this.#findings = findings;
    if (story.hold !== null && story.hold.item.untilMs <= atMs) this.#endHold("hold_end");
  }

  wrong(promise: PromiseName, what: string, also: readonly At[] = []): void {
    this.#findings.add(promise, `${nameOf(this.#coupon)} ${what}`, [], [this.#at, ...also].map(placeOf));
  }

  apply(kind: ItemsEntry["kind"], item: unknown): void {
    if (kind === "lock") this.#lock(item as LockItem);
    else if (kind === "redeem") this.#redeem(item as RedeemItem);
    else if (kind === "release") this.#release(item as ReleaseItem);
    else if (kind === "reverse") this.#reverse(item as ReverseItem);
    else this.#deactivate(item as { serial: number; reason: string });
  }

  #lock(item: LockItem): void {
    const story = this.#story;
    const order = orderOf(item);
    const before = story.hold;
    const again = before !== null && before.order === order;
    if (again) {
      const binding = same(before.item.discount, item.discount) && before.item.payload === item.payload;
      if (!binding) this.wrong("money", "is locked again with another discount", [before]);
      if (item.untilMs <= before.item.untilMs) this.wrong("rules_broken", "is locked again without a later deadline");
      this.#checkValid();
    } else this.#checkTakeable(order);
    this.#checkDiscount(item.discount.discount);
    const fact = { ...this.#fact(order), kind: "lock" as const, item, fresh: !again };
    story.facts.push(fact);
    story.hold = fact;
    story.holdRow = fact;
    story.rowState = ROW.locked;
    this.#move("lock");
  }

  #redeem(item: RedeemItem): void {
    const story = this.#story;
    const order = orderOf(item);
    const held = story.hold !== null && story.hold.order === order ? story.hold : null;
    if (held !== null) {
      if (!same(held.item.discount, item.discount))
        this.wrong("money", "is redeemed for another discount than its hold's", [held]);
      if (held.item.payload !== item.payload)
        this.wrong("money", "is redeemed for another order than was locked", [held]);
      if (this.#coupon.shard.rules?.revoked === true) this.wrong("rules_broken", "is revoked, and redeemed");
    } else {
      this.#checkTakeable(order);
      if (item.payload === "") this.wrong("rules_broken", "is redeemed without a hold and without an order");
    }
    this.#checkDiscount(item.discount.discount);
    const fact: Redemption = { ...this.#fact(order), kind: "redeem", item, reversals: [], held: held !== null };
    story.facts.push(fact);
    story.hold = null;
    story.holdRow = null;
    story.redemption = fact;
    story.rowState = ROW.redeemed;
    this.#coupon.shard.totals.redemptions += 1;
    this.#coupon.shard.totals.discounted += item.discount.discount;
    this.#move("redeem");
  }

  #release(item: ReleaseItem): void {
    const story = this.#story;
    const order = orderOf(item);
    const held = story.hold !== null && story.hold.order === order;
    if (held !== item.held)
      this.wrong("hold_shared", item.held ? "is released by an order without a hold" : "stays held");
    story.facts.push({ ...this.#fact(order), kind: "release", item });
    story.rowState = item.held ? ROW.touched : Math.max(story.rowState, ROW.touched);
    if (item.held) story.holdRow = null;
    if (held) this.#endHold("release");
  }

  #reverse(item: ReverseItem): void {
    const story = this.#story;
    const order = orderOf(item);
    const redemption = story.facts.findLast((fact) => fact.kind === "redeem" && fact.order === order) as
      | Redemption
      | undefined;
    if (redemption === undefined) this.wrong("money", `is reversed for order ${order}, which did not redeem it`);
    else this.#checkReversal(redemption, item);
    story.facts.push({ ...this.#fact(order), kind: "reverse", item });
    const { totals } = this.#coupon.shard;
    totals.reversals += 1;
    totals.discountReversed += item.reversed.discount;
    if (!item.restored) return;
    totals.restored += 1;
    story.rowState = ROW.touched;
    if (story.redemption !== redemption) this.wrong("redeemed_twice", "comes back by an order that has it no more");
    story.redemption = null;
    this.#move("reverse");
  }

  #checkReversal(redemption: Redemption, item: ReverseItem): void {
    const repeated = redemption.reversals.find((one) => one.keyHash === item.keyHash);
    if (repeated !== undefined) this.wrong("one_outcome", "is reversed twice under one key", [redemption]);
    const judged = judgeReversal(
      { discount: redemption.item.discount, reversals: redemption.reversals },
      { lines: item.reversed.lines },
    );
    const right =
      judged.kind === "reversed" && same(judged.reversed, item.reversed) && judged.remaining === item.remaining;
    if (!right)
      this.wrong("money", `is reversed by ${JSON.stringify(item.reversed)}, leaving ${item.remaining}`, [redemption]);
    if (item.restored && item.remaining !== 0)
      this.wrong("money", "comes back before all of it is reversed", [redemption]);
    redemption.reversals.push(item);
  }

  #deactivate(item: { serial: number; reason: string }): void {
    const story = this.#story;
    story.facts.push({ ...this.#fact(""), kind: "deactivate", item });
    story.rowState = ROW.deactivated;
    story.hold = null;
    story.holdRow = null;
    this.#coupon.shard.totals.deactivated += 1;
    this.#move("deactivate");
  }

  /** Whether an order may take the coupon anew. */
  #checkTakeable(order: string): void {
    const story = this.#story;
    this.#checkValid();
    if (story.hold !== null)
      this.wrong("hold_shared", `is taken by ${order} while ${story.hold.order} holds it`, [story.hold]);
    const redeemed = story.facts.find((fact) => fact.kind === "redeem" && fact.order === order);
    if (redeemed !== undefined)
      this.wrong("redeemed_twice", `is taken again by ${order}, which has redeemed it`, [redeemed]);
    const released = story.facts.findLast((fact) => fact.kind === "release" && fact.order === order);
    if (released !== undefined && this.#atMs < released.atMs + RELEASED_MS) {
      this.wrong("rules_broken", `is taken by ${order}, which has released it`, [released]);
    }
  }

  #checkValid(): void {
    const { shard, issuedAtMs } = this.#coupon;
    const window = couponWindow(shard.batch.definition.template, Math.floor(issuedAtMs / 1_000));
    if (this.#atMs < window.validFromMs || this.#atMs >= window.validUntilMs)
      this.wrong("rules_broken", "is taken while it is not valid");
    if (shard.rules?.revoked === true) this.wrong("rules_broken", "is revoked, and taken");
  }

  #checkDiscount(discount: number): void {
    const greatest = greatestDiscount(this.#coupon.shard.batch.definition.template);
    if (discount > greatest) this.wrong("money", `gives ${discount}, and its template ${greatest} at most`);
  }

  #endHold(by: "hold_end" | "release"): void {
    this.#story.hold = null;
    this.#move(by);
  }

  /** The coupon's state machine is the domain's. */
  #move(by: "lock" | "redeem" | "release" | "hold_end" | "reverse" | "deactivate"): void {
    const to = couponTransition(this.#story.state, by);
    if (to === null) {
      const twice = this.#story.state === "redeemed" && by !== "deactivate";
      this.wrong(twice ? "redeemed_twice" : "rules_broken", `is ${this.#story.state}, and has a ${by}`);
    }
    const after = { lock: "locked", redeem: "redeemed", deactivate: "deactivated" } as const;
    this.#story.state = by in after ? after[by as keyof typeof after] : "effective";
  }

  #fact(order: string): Omit<Extract<Fact, { kind: "deactivate" }>, "kind" | "item"> {
    return {
      ...this.#at,
      atMs: this.#atMs,
      order,
      explained: false,
      calledMs: Number.POSITIVE_INFINITY,
      returnedMs: Number.POSITIVE_INFINITY,
      rows: 0,
    };
  }
}

function orderOf({ callerId, orderId }: { callerId: string; orderId: string }): string {
  return `${callerId}/${orderId}`;
}
