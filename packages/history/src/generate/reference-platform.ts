import {
  type BatchDefinition,
  couponWindow,
  type Discount,
  dayAt,
  encodeCouponId,
  type IssueItem,
  judgeDiscount,
  judgeReversal,
  type LockItem,
  orderPayloadHash,
  payloadHash,
  type RedeemItem,
  type RefusalCode,
  type ReleaseItem,
  type ReverseItem,
  reversalPayloadHash,
  startOfDayMs,
} from "@coupon/domain";
import type { KeyHash } from "../history.ts";
import type { ReferenceLog } from "./reference-log.ts";
import {
  type ClaimAsk,
  couponBody,
  holdBody,
  type OrderAsk,
  problem,
  type Reply,
  redemptionBody,
  reversalBody,
  success,
} from "./reference-replies.ts";
import type { ReferenceRows } from "./reference-rows.ts";
import { liveHold, type ReferenceCoupon, type ReferenceShard } from "./reference-shard.ts";

/** Stands in for the keyed hash of a real platform. */
export const referenceKeyHash: KeyHash = (callerId, via, key) => payloadHash([callerId, via, key]);

const COUPON_KEY = new Uint8Array(32).fill(7);
const RELEASED_MS = 86_400_000;

export interface BatchOfShards {
  definition: BatchDefinition;
  shards: ReferenceShard[];
}

/**
 * The platform's rules over plain maps: one entry a call, as a shard's script would write it. Nothing of it is
 * shared with the checker but the domain.
 */
export class ReferencePlatform {
  readonly #log: ReferenceLog;
  readonly #rows: ReferenceRows;

  constructor(log: ReferenceLog, rows: ReferenceRows) {
    this.#log = log;
    this.#rows = rows;
  }

  claim(batch: BatchOfShards, shard: ReferenceShard, nowMs: number, asks: readonly ClaimAsk[]): Reply[] {
    const atMs = Math.max(nowMs, shard.atMs);
    const { timeZone } = batch.definition;
    const dayStartMs = startOfDayMs(timeZone, dayAt(timeZone, atMs));
    const dayIssued = dayStartMs === shard.dayStartMs ? shard.dayIssued : 0;
    const items: IssueItem[] = [];
    const outcomes = asks.map((ask) =>
      this.#claimOne(batch, shard, atMs, dayStartMs, dayIssued + items.length, ask, items),
    );
    if (items.length > 0) {
      this.#log.append(shard, atMs, "issue", { day: dayStartMs, items });
      shard.left -= items.length;
      shard.dayStartMs = dayStartMs;
      shard.dayIssued = dayIssued + items.length;
    }
    return outcomes.map((outcome) =>
      "code" in outcome ? problem(outcome.code) : success(shard, outcome.status, couponBody(batch, outcome.coupon)),
    );
  }

  #claimOne(
    { definition }: BatchOfShards,
    shard: ReferenceShard,
    atMs: number,
    dayStartMs: number,
    dayIssued: number,
    { callerId, userId, key, via }: ClaimAsk,
    items: IssueItem[],
  ): { status: number; coupon: ReferenceCoupon } | { code: RefusalCode } {
    const { rules } = shard;
    const keyHash = referenceKeyHash(callerId, via, key);
    const held = shard.users.get(userId) ?? [];
    const before = held.find((one) => one.keyHash === keyHash);
    if (before !== undefined) return { status: 200, coupon: before };
    if (rules === null || atMs < rules.fromMs) return { code: "batch_not_started" };
    if (rules.state === "paused") return { code: "batch_paused" };
    if (rules.state !== "issuing" || atMs >= rules.untilMs) return { code: "batch_ended" };
    if (held.length >= rules.perUser) return { code: "user_limit_reached" };
    const today = held.filter(({ issuedAtMs }) => issuedAtMs >= dayStartMs).length;
    if (rules.perUserPerDay !== null && today >= rules.perUserPerDay) return { code: "user_daily_limit_reached" };
    if (rules.perDay !== null && dayIssued >= rules.perDay) return { code: "daily_stock_exhausted" };
    if (items.length >= shard.left) return { code: "stock_exhausted" };
    const serial = shard.coupons.length;
    const parts = {
      keyVersion: 1,
      batchNumber: definition.batchNumber,
      shard: shard.address.shard,
      serial,
      issuedAtSeconds: Math.floor(atMs / 1_000),
    };
    const coupon: ReferenceCoupon = {
      ...{
        shard,
        serial,
        userId,
        callerId,
        keyHash,
        via,
        issuedAtMs: atMs,
        couponId: encodeCouponId(parts, userId, COUPON_KEY),
      },
      ...{ state: "effective", hold: null, redemptions: new Map(), released: new Map(), touched: false },
    };
    shard.coupons.push(coupon);
    shard.users.set(userId, [...held, coupon]);
    items.push([serial, userId, callerId, keyHash, via]);
    return { status: 201, coupon };
  }

  /** Stock from a shard that has some; false where none has. */
  move(batch: BatchOfShards, target: ReferenceShard, nowMs: number): boolean {
    const source = batch.shards.find((one) => one !== target && one.left > 0);
    if (source === undefined) return false;
    const amount = Math.min(32, source.left);
    const transfer = (source.debits.get(target.address.shard) ?? 0) + 1;
    source.debits.set(target.address.shard, transfer);
    target.credits.set(source.address.shard, transfer);
    this.#transfer(source, "debit", target.address.shard, amount, transfer, nowMs);
    this.#transfer(target, "credit", source.address.shard, amount, transfer, nowMs);
    source.left -= amount;
    target.left += amount;
    return true;
  }

  #transfer(
    shard: ReferenceShard,
    kind: "debit" | "credit",
    peer: number,
    amount: number,
    transfer: number,
    nowMs: number,
  ): void {
    const body = kind === "debit" ? { target: peer, amount, transfer } : { source: peer, amount, transfer };
    this.#log.append(shard, Math.max(nowMs, shard.atMs), kind, body);
    const { number, atMs } = shard;
    this.#rows.transfers.push({ ...shard.address, number, kind, peer, transfer, amount, atMs });
    this.#rows.totalsOf(shard)[kind === "debit" ? "debited" : "credited"] += amount;
  }

  /** One request about one coupon, which makes an entry of its own where it changes something. */
  order(batch: BatchOfShards, nowMs: number, ask: OrderAsk): Reply {
    const atMs = Math.max(nowMs, ask.coupon.shard.atMs);
    const order = `${ask.callerId}/${ask.orderId}`;
    if (ask.op === "lock") return this.#lock(batch, atMs, order, ask);
    if (ask.op === "redeem") return this.#redeem(batch, atMs, order, ask);
    if (ask.op === "release") return this.#release(atMs, order, ask);
    return this.#reverse(batch, atMs, order, ask);
  }

  #lock(batch: BatchOfShards, atMs: number, order: string, ask: Extract<OrderAsk, { op: "lock" }>): Reply {
    const { coupon, holdSeconds } = ask;
    const payload = orderPayloadHash(ask.order);
    const untilMs = atMs + holdSeconds * 1_000;
    const hold = liveHold(coupon, atMs);
    if (hold !== null && hold.order === order) {
      if (hold.payload !== payload) return problem("idempotency_conflict");
      if (untilMs > hold.untilMs) this.#hold(atMs, order, ask, payload, untilMs, hold.discount);
      return success(coupon.shard, 200, holdBody(ask, coupon.hold?.untilMs ?? 0, hold.discount));
    }
    const refused = refuseNew(batch, coupon, atMs, order);
    if (refused !== null) return problem(refused);
    const judged = judgeDiscount(batch.definition.template, ask.order);
    if (judged.kind !== "discount") return problem(judged.kind);
    this.#hold(atMs, order, ask, payload, untilMs, judged.discount);
    return success(coupon.shard, 200, holdBody(ask, untilMs, judged.discount));
  }

  #hold(atMs: number, order: string, ask: OrderAsk, payload: string, untilMs: number, discount: Discount): void {
    const { coupon } = ask;
    const item: LockItem = { ...itemOf(ask), payload, untilMs, discount };
    this.#log.append(coupon.shard, atMs, "lock", { items: [item] });
    coupon.state = "locked";
    coupon.touched = true;
    coupon.hold = { order, payload, untilMs, lockedAtMs: atMs, discount };
  }

  #redeem(batch: BatchOfShards, atMs: number, order: string, ask: Extract<OrderAsk, { op: "redeem" }>): Reply {
    const { coupon } = ask;
    const payload = ask.order === undefined ? "" : orderPayloadHash(ask.order);
    const before = coupon.redemptions.get(order);
    if (before !== undefined) {
      const conflict = payload !== "" && before.payload !== "" && payload !== before.payload;
      return conflict
        ? problem("idempotency_conflict")
        : success(coupon.shard, 200, redemptionBody(ask, before.atMs, before.discount));
    }
    const hold = liveHold(coupon, atMs);
    if (hold !== null && hold.order === order) {
      if (payload !== "" && payload !== hold.payload) return problem("idempotency_conflict");
      return this.#use(atMs, order, ask, hold.payload, hold.discount);
    }
    const refused = refuseNew(batch, coupon, atMs, order);
    if (ask.order === undefined)
      return problem(refused === "order_released" ? "hold_ended" : (refused ?? "hold_ended"));
    if (refused !== null) return problem(refused);
    const judged = judgeDiscount(batch.definition.template, ask.order);
    return judged.kind === "discount" ? this.#use(atMs, order, ask, payload, judged.discount) : problem(judged.kind);
  }

  #use(atMs: number, order: string, ask: OrderAsk, payload: string, discount: Discount): Reply {
    const { coupon } = ask;
    const { shard } = coupon;
    const item: RedeemItem = { ...itemOf(ask), payload, discount };
    this.#log.append(shard, atMs, "redeem", { items: [item] });
    coupon.state = "redeemed";
    coupon.touched = true;
    coupon.hold = null;
    coupon.redemptions.set(order, { payload, atMs, discount, reversals: [] });
    const { userId: _, ...row } = item;
    this.#rows.redemptions.push({ ...shard.address, ...row, number: shard.number, redeemedAtMs: atMs });
    const totals = this.#rows.totalsOf(shard);
    totals.redemptions += 1;
    totals.discounted += discount.discount;
    return success(shard, 200, redemptionBody(ask, atMs, discount));
  }

  #release(atMs: number, order: string, ask: OrderAsk): Reply {
    const { coupon } = ask;
    const { shard } = coupon;
    const body = (state: string) =>
      success(shard, 200, { orderId: ask.orderId, coupons: [{ couponId: coupon.couponId, state }] });
    const hold = liveHold(coupon, atMs);
    const state = coupon.state === "locked" && hold === null ? "effective" : coupon.state;
    const isOver = (coupon.released.get(order) ?? 0) > atMs || coupon.redemptions.has(order);
    if (isOver || coupon.state === "deactivated") return body(state);
    const held = hold?.order === order;
    const item: ReleaseItem = { ...itemOf(ask), held };
    this.#log.append(shard, atMs, "release", { items: [item] });
    const { userId: _, ...row } = item;
    this.#rows.releases.push({ ...shard.address, ...row, number: shard.number, releasedAtMs: atMs });
    coupon.released.set(order, atMs + RELEASED_MS);
    coupon.touched = true;
    if (held) {
      coupon.state = "effective";
      coupon.hold = null;
    }
    return body(held ? "effective" : state);
  }

  #reverse(batch: BatchOfShards, atMs: number, order: string, ask: Extract<OrderAsk, { op: "reverse" }>): Reply {
    const { coupon } = ask;
    const { shard } = coupon;
    const redemption = coupon.redemptions.get(order);
    if (redemption === undefined) return problem("order_not_found");
    const keyHash = referenceKeyHash(ask.callerId, `r/${ask.orderId}`, ask.key);
    const payload = reversalPayloadHash(ask.ask);
    const before = redemption.reversals.find((one) => one.keyHash === keyHash);
    if (before !== undefined) {
      return before.payload === payload
        ? success(shard, 200, reversalBody(coupon, before))
        : problem("idempotency_conflict");
    }
    const judged = judgeReversal({ discount: redemption.discount, reversals: redemption.reversals }, ask.ask);
    if (judged.kind === "too_many_reversals") return problem("reversal_exceeds_redemption");
    if (judged.kind !== "reversed") return problem(judged.kind);
    const restore = ask.restore ?? batch.definition.template.refundPolicy === "restore";
    const restored = judged.complete && restore;
    if (restored && coupon.state !== "redeemed") return problem("reversal_exceeds_redemption");
    const item: ReverseItem = {
      ...itemOf(ask),
      ...{ reversalId: payloadHash([order, keyHash]), keyHash, payload, reason: "returned", reversed: judged.reversed },
      ...{ remaining: judged.remaining, restored },
    };
    this.#log.append(shard, atMs, "reverse", { items: [item] });
    redemption.reversals.push({ ...item, atMs });
    const { userId: _, ...row } = item;
    this.#rows.reversals.push({ ...shard.address, ...row, number: shard.number, reversedAtMs: atMs });
    const totals = this.#rows.totalsOf(shard);
    totals.reversals += 1;
    totals.restored += restored ? 1 : 0;
    totals.discountReversed += judged.reversed.discount;
    if (restored) coupon.state = "effective";
    return success(shard, 201, reversalBody(coupon, item));
  }

  deactivate(nowMs: number, coupon: ReferenceCoupon, reason: string): Reply {
    const { shard, serial } = coupon;
    if (coupon.state === "redeemed") return problem("coupon_redeemed");
    if (coupon.state !== "deactivated") {
      this.#log.append(shard, Math.max(nowMs, shard.atMs), "deactivate", { items: [{ serial, reason }] });
      this.#rows.deactivations.push({
        ...shard.address,
        serial,
        number: shard.number,
        reason,
        deactivatedAtMs: shard.atMs,
      });
      this.#rows.totalsOf(shard).deactivated += 1;
      coupon.state = "deactivated";
      coupon.hold = null;
      coupon.touched = true;
    }
    return success(shard, 200, {});
  }
}

function refuseNew(
  { definition }: BatchOfShards,
  coupon: ReferenceCoupon,
  atMs: number,
  order: string,
): RefusalCode | null {
  const window = couponWindow(definition.template, Math.floor(coupon.issuedAtMs / 1_000));
  if (atMs < window.validFromMs) return "coupon_pending";
  if (atMs >= window.validUntilMs) return "coupon_expired";
  if (coupon.state === "deactivated") return "coupon_deactivated";
  if (liveHold(coupon, atMs) !== null) return "coupon_locked";
  if (coupon.state === "redeemed" || coupon.redemptions.has(order)) return "coupon_redeemed";
  return (coupon.released.get(order) ?? 0) > atMs ? "order_released" : null;
}

const itemOf = ({ coupon, callerId, orderId }: OrderAsk) => ({
  serial: coupon.serial,
  userId: coupon.userId,
  callerId,
  orderId,
});
