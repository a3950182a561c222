import { randomUUID } from "node:crypto";
import { type Grant, type GrantOptions, type GrantResult, grantAll } from "./grant.ts";
import { eachItem } from "./pages.ts";
import type { ReadAfter } from "./read-after.ts";
import type { Result } from "./result.ts";
import type { Part, SignedCall, SignedCaller } from "./signed-caller.ts";
import type * as Api from "./types.ts";

/** Every call takes these. */
export interface CallOptions {
  /** Gives up waiting; whether a change was made is then unknown. */
  signal?: AbortSignal;
}

export interface Keyed {
  /** 1–64 visible ASCII characters that name this change; made here unless given. */
  idempotencyKey?: string;
}

export interface LockBody {
  userId: string;
  couponIds: string[];
  order: Api.Order;
  /** 10–86,400. */
  holdSeconds: number;
}

export interface RedeemBody {
  userId: string;
  couponIds: string[];
  /** Given where the order has not locked the coupons: locks and redeems in one step. */
  order?: Api.Order;
}

export interface ReverseBody extends Keyed {
  lines?: { lineId: string; quantity: number }[];
  /** Everything that is left of the redemption, instead of `lines`. */
  all?: true;
  couponIds?: string[];
  /** Overrides the template's refund policy. */
  restoreCoupon?: boolean;
  reason: string;
}

export interface CouponFilter {
  state?: Api.CouponState;
  batchId?: string;
  /** Newest first unless told. */
  sort?: "validUntil";
  /** Coupons a page; at most 200. */
  limit?: number;
}

/**
 * The calls of the callers' API. Every change names its own outcome, by an idempotency key or by its
 * order, so each is safely repeated: refusals that may pass and lost answers are retried within bounds.
 * Expected refusals are returned, never thrown; an aborted call rejects.
 */
export class CouponCalls {
  readonly #caller: SignedCaller;
  readonly #readAfter: ReadAfter | undefined;

  constructor(caller: SignedCaller, readAfter?: ReadAfter) {
    this.#caller = caller;
    this.#readAfter = readAfter;
  }

  /** A user's attempt to get a coupon of a batch. Repeated under the same key it is the same coupon, `replayed`. */
  claim(
    batchId: string,
    claim: Keyed & { userId: string; context?: Api.ClaimContext },
    options?: CallOptions,
  ): Promise<Result<Api.Coupon>> {
    const { idempotencyKey = randomUUID(), ...body } = claim;
    return this.#change("issuing", { path: `/v1/batches/${segment(batchId)}/claims`, body, idempotencyKey }, options);
  }

  /**
   * Pushes coupons to users, any number, a thousand to a request. Grants that are not possible just now
   * are sent again, those alone, within the retry policy; every grant's outcome is returned in order.
   */
  grant(batchId: string, grants: readonly Grant[], options: GrantOptions = {}): Promise<GrantResult> {
    const path = `/v1/batches/${segment(batchId)}/grants`;
    return grantAll((body) => this.#change("issuing", { path, body }, options), this.#caller.policy, grants, options);
  }

  /** What a batch offers and whether it is issuing. */
  getBatch(batchId: string, options?: CallOptions): Promise<Result<Api.Batch>> {
    return this.#caller.call("issuing", { method: "GET", path: `/v1/batches/${segment(batchId)}`, ...options });
  }

  /** One coupon of a user. */
  getCoupon(couponId: string, userId: string, options?: CallOptions): Promise<Result<Api.Coupon>> {
    return this.#read("wallet", `/v1/coupons/${segment(couponId)}${query({ userId })}`, options);
  }

  /** One page of a user's coupons, newest first unless told. */
  getCouponPage(
    userId: string,
    filter: CouponFilter & { cursor?: string } = {},
    options?: CallOptions,
  ): Promise<Result<Api.Page<Api.Coupon>>> {
    return this.#read("wallet", `/v1/users/${segment(userId)}/coupons${query({ ...filter })}`, options);
  }

  /** All of a user's coupons, page by page as they are asked for. @throws {CallFailed} when a page is refused. */
  listCoupons(userId: string, filter: CouponFilter = {}, options?: CallOptions): AsyncGenerator<Api.Coupon, void> {
    return eachItem((cursor) =>
      this.getCouponPage(userId, cursor === undefined ? filter : { ...filter, cursor }, options),
    );
  }

  /** Keeps coupons for an order until a deadline: all of them or none. The discount it answers is binding. */
  lock(orderId: string, body: LockBody, options?: CallOptions): Promise<Result<Api.Hold>> {
    return this.#order(orderId, "lock", body, options);
  }

  /** Redeems coupons that the order holds; with `order`, locks and redeems in one step. */
  redeem(orderId: string, body: RedeemBody, options?: CallOptions): Promise<Result<Api.Redemption>> {
    return this.#order(orderId, "redeem", body, options);
  }

  /** Locks and redeems in one step. */
  redeemInOneStep(
    orderId: string,
    body: RedeemBody & { order: Api.Order },
    options?: CallOptions,
  ): Promise<Result<Api.Redemption>> {
    return this.#order(orderId, "redeem", body, options);
  }

  /** Gives held coupons back. A lock of the same order that arrives later within a day is refused. */
  release(
    orderId: string,
    body: { userId: string; couponIds: string[] },
    options?: CallOptions,
  ): Promise<Result<Api.Release>> {
    return this.#order(orderId, "release", body, options);
  }

  /** Takes a redemption back, in part or whole. Repeated under the same key it is the same reversal. */
  reverse(orderId: string, reversal: ReverseBody, options?: CallOptions): Promise<Result<Api.Reversal>> {
    const { idempotencyKey = randomUUID(), ...body } = reversal;
    const path = `/v1/orders/${segment(orderId)}/reversals`;
    return this.#change("redemption", { path, body, idempotencyKey }, options);
  }

  /** Hold, redemption and reversals of one's own order. */
  getOrder(orderId: string, options?: CallOptions): Promise<Result<Api.OrderRecord>> {
    return this.#read("wallet", `/v1/orders/${segment(orderId)}`, options);
  }

  #order<Value>(orderId: string, step: string, body: object, options?: CallOptions): Promise<Result<Value>> {
    return this.#change("redemption", { path: `/v1/orders/${segment(orderId)}/${step}`, body }, options);
  }

  async #change<Value>(part: Part, call: Omit<SignedCall, "method">, options?: CallOptions): Promise<Result<Value>> {
    const result = await this.#caller.call<Value>(part, { method: "POST", signal: options?.signal, ...call });
    if (result.ok) this.#readAfter?.note(result.logPosition);
    return result;
  }

  async #read<Value>(part: Part, path: string, options?: CallOptions): Promise<Result<Value>> {
    const readAfter = this.#readAfter?.header();
    const result = await this.#caller.call<Value>(part, { method: "GET", path, readAfter, signal: options?.signal });
    if (result.ok) this.#readAfter?.settled(readAfter);
    return result;
  }
}

/** One segment of a path, encoded. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** A query of the members that are there, encoded; "" where there are none. */
export function query(members: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
