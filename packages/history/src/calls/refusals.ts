import { couponWindow, type RefusalCode } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { OperationBase, ScriptsClock } from "../history.ts";
import { type BatchBook, type CouponBook, type Fact, factsOf, nameOf, type ShardBook } from "../log/books.ts";
import { mayHaveEnded, mayNotHaveStarted } from "./closed-windows.ts";
import { countUpTo, IssueDays } from "./full-days.ts";

interface RefusedClaim {
  batch: BatchBook;
  userId: string;
  code: RefusalCode | "unnamed";
  id: number;
  calledMs: number;
  returnedMs: number;
}

interface RefusedOrder {
  coupon: CouponBook;
  order: string;
  code: RefusalCode | "unnamed";
  id: number;
  calledMs: number;
  returnedMs: number;
}

/**
 * Refusals wait until every operation is in; then each has to be explained by something that may have
 * happened before it was given: that had been asked for by then, or that nobody is known to have asked for.
 */
export class Refusals {
  readonly #claims: RefusedClaim[] = [];
  readonly #orders: RefusedOrder[] = [];
  readonly #issuedAt = new Map<BatchBook, Float64Array>();
  readonly #days = new Map<ShardBook, IssueDays>();
  readonly #clock: ScriptsClock | undefined;

  constructor(clock?: ScriptsClock) {
    this.#clock = clock;
  }

  claim(
    batch: BatchBook,
    userId: string,
    code: RefusedClaim["code"],
    { id, calledAtMs, returnedAtMs }: OperationBase,
  ): void {
    const returnedMs = returnedAtMs ?? Number.POSITIVE_INFINITY;
    this.#claims.push({ batch, userId, code, id, calledMs: calledAtMs, returnedMs });
  }

  order(
    coupon: CouponBook,
    order: string,
    code: RefusedOrder["code"],
    { id, calledAtMs, returnedAtMs }: OperationBase,
  ): void {
    const returnedMs = returnedAtMs ?? Number.POSITIVE_INFINITY;
    this.#orders.push({ coupon, order, code, id, calledMs: calledAtMs, returnedMs });
  }

  finish(findings: Findings): void {
    for (const refused of this.#claims) {
      this.#checkClaim(refused, findings);
      this.#checkTime(refused, findings);
    }
    for (const refused of this.#orders) checkOrder(refused, this.#clock, findings);
  }

  #checkClaim(refused: RefusedClaim, findings: Findings): void {
    const { batch, userId, code, id, calledMs, returnedMs } = refused;
    const versions = batch.versionsBetween(calledMs, returnedMs).map(({ definition }) => definition);
    const least = (limit: (stock: (typeof versions)[number]["stock"]) => number | undefined) =>
      Math.min(...versions.map(({ stock }) => limit(stock) ?? Number.POSITIVE_INFINITY));
    if (code === "stock_exhausted") {
      const issued = this.#issuedBy(batch, returnedMs);
      const stock = least(({ total }) => total);
      if (issued < stock)
        findings.add("undersell", `stock_exhausted when at most ${issued} of ${stock} had been issued`, [id]);
    } else if (code === "user_limit_reached") {
      const held = heldBy(batch, userId, returnedMs).length;
      const limit = least(({ perUser }) => perUser);
      if (held < limit)
        findings.add("unjust_refusal", `user ${userId} had at most ${held} of ${limit} coupons, and was refused`, [id]);
    } else if (code === "user_daily_limit_reached") {
      const held = heldBy(batch, userId, returnedMs);
      const most = new IssueDays(held, batch.definition.timeZone, askedMs).mostIn(calledMs, returnedMs);
      const limit = least(({ perUserPerDay }) => perUserPerDay);
      if (most < limit)
        findings.add(
          "unjust_refusal",
          `user ${userId} had at most ${most} of ${limit} coupons in a day, and was refused`,
          [id],
        );
    } else if (code === "batch_paused" || code === "batch_deactivated") {
      const state = code === "batch_paused" ? "paused" : "deactivated";
      if (!versions.some((one) => one.state === state))
        findings.add("unjust_refusal", `${code}, which the batch was not`, [id]);
    }
  }

  #daysOf(shard: ShardBook): IssueDays {
    let days = this.#days.get(shard);
    if (days === undefined) {
      days = new IssueDays(shard.coupons, shard.batch.definition.timeZone, askedMs);
      this.#days.set(shard, days);
    }
    return days;
  }

  /** What a shard says of its day, and of the batch's window. */
  #checkTime(refused: RefusedClaim, findings: Findings): void {
    const { batch, code, id, calledMs, returnedMs } = refused;
    const versions = batch.versionsBetween(calledMs, returnedMs).map(({ definition }) => definition);
    const unjust = (detail: string) => findings.add("unjust_refusal", detail, [id]);
    if (code === "daily_stock_exhausted") {
      const isFull = (shard: ShardBook) => {
        const limits = shard.rulesFacts.map(({ rules }) => rules.perDay ?? Number.POSITIVE_INFINITY);
        return this.#daysOf(shard).mostIn(calledMs, returnedMs) >= Math.min(...limits);
      };
      if (![...batch.shards.values()].some(isFull)) unjust(`${code} before a shard had issued a day's stock`);
    } else if (code === "batch_ended") {
      if (!mayHaveEnded(versions, returnedMs, this.#clock)) unjust(`${code} before the batch's window was over`);
    } else if (code === "batch_not_started") {
      if (!mayNotHaveStarted(batch, versions, calledMs)) unjust(`${code} after every shard had issued in the window`);
    }
  }

  /** How many of a batch may have been issued by then. */
  #issuedBy(batch: BatchBook, byMs: number): number {
    let times = this.#issuedAt.get(batch);
    if (times === undefined) {
      const list: number[] = [];
      for (const shard of batch.shards.values()) for (const coupon of shard.coupons) list.push(askedMs(coupon));
      times = Float64Array.from(list).sort();
      this.#issuedAt.set(batch, times);
    }
    return countUpTo(times, byMs);
  }
}

/** When it was asked for first; what nobody is known to have asked for may have been there always. */
function askedMs({ explained, calledMs }: { explained: boolean; calledMs: number }): number {
  return explained ? calledMs : Number.NEGATIVE_INFINITY;
}

function heldBy(batch: BatchBook, userId: string, byMs: number): CouponBook[] {
  const found: CouponBook[] = [];
  for (let coupon = batch.users.get(userId) ?? null; coupon !== null; coupon = coupon.before) {
    if (askedMs(coupon) <= byMs) found.push(coupon);
  }
  return found;
}

function checkOrder(refused: RefusedOrder, clock: ScriptsClock | undefined, findings: Findings): void {
  const { coupon, order, code, id, calledMs, returnedMs } = refused;
  const facts = (coupon.story?.facts ?? []).filter((fact) => askedMs(fact) <= returnedMs);
  if (explains(code, order, facts, coupon, calledMs) && (clock === undefined || isTime(refused, clock))) return;
  findings.add("unjust_refusal", `${order} was refused with ${code} by ${nameOf(coupon)}, and nothing explains it`, [
    id,
  ]);
}

function explains(
  code: RefusedOrder["code"],
  order: string,
  facts: readonly Fact[],
  coupon: CouponBook,
  calledMs: number,
): boolean {
  switch (code) {
    case "coupon_redeemed":
      return facts.some(({ kind }) => kind === "redeem");
    case "coupon_locked":
      return facts.some((fact) => fact.kind === "lock" && fact.order !== order && !isOver(fact, facts, calledMs));
    case "order_released":
      return facts.some((fact) => fact.kind === "release" && fact.order === order);
    case "coupon_deactivated":
      return (
        facts.some(({ kind }) => kind === "deactivate") ||
        coupon.shard.batch.versions.some(({ definition }) => definition.revoked)
      );
    default:
      return true;
  }
}

/** Whether the scripts' clock may have been there that a refusal speaks of. */
function isTime({ coupon, order, code, calledMs, returnedMs }: RefusedOrder, clock: ScriptsClock): boolean {
  const { template } = coupon.shard.batch.definition;
  const window = couponWindow(template, Math.floor(coupon.issuedAtMs / 1_000));
  const latestMs = clock.originMs + returnedMs + clock.toleranceMs;
  switch (code) {
    case "coupon_pending":
      return clock.originMs + calledMs - clock.toleranceMs < window.validFromMs;
    case "coupon_expired":
      return latestMs >= window.validUntilMs;
    case "hold_ended": {
      const stands = factsOf(coupon, "lock", order).some(
        (hold) => hold.returnedMs < calledMs && hold.item.untilMs > latestMs,
      );
      return !stands || isGone(coupon, order);
    }
    default:
      return true;
  }
}

/** Whether a hold may have come to an end by something else than its deadline. */
function isGone(coupon: CouponBook, order: string): boolean {
  const facts = coupon.story?.facts ?? [];
  return facts.some((fact) => fact.kind === "deactivate" || (fact.kind !== "lock" && fact.order === order));
}

/** Whether a hold was certainly over before the request was made: what ended it had been acknowledged. */
function isOver(hold: Fact, facts: readonly Fact[], calledMs: number): boolean {
  return facts.some(
    (fact) =>
      fact.number > hold.number &&
      fact.kind !== "lock" &&
      fact.kind !== "reverse" &&
      (fact.kind !== "release" || fact.item.held) &&
      fact.returnedMs < calledMs,
  );
}
