import { createHash } from "node:crypto";
import { REVERSALS_MAX, type Refusal, reversalPayloadHash } from "@coupon/domain";
import { keyHashOf } from "@coupon/redis";
import type { CallerKey } from "../front/callers.ts";
import type { LedgerReads } from "../front/ledger-reads.ts";
import { type NamedCoupon, nameUnprovenCoupon } from "./order-coupon.ts";
import { type OrderResources, type OrderResult, refused, shownState } from "./orders.ts";
import { noOutcomeRefusal } from "./refusals.ts";

export interface ReversalResources extends OrderResources {
  hashKey: Buffer;
  ledger: LedgerReads;
}

export interface ReversalRequest {
  key: CallerKey;
  orderId: string;
  idempotencyKey: string;
  ask: { all: true } | { lines: { lineId: string; quantity: number }[] };
  couponIds?: string[];
  restoreCoupon?: boolean;
  reason: string;
  /** Of the trace that it is part of. */
  traceparent: string;
}

export interface Reversal {
  reversalId: string;
  discountReversed: number;
  remaining: number;
  /** As reads show them at the time of the reversal: a repeat tells of nothing that came later. */
  coupons: { couponId: string; state: string }[];
}

/**
 * Undoes a redemption, in part or whole, once a key. The user is not named: the owner of the shard proves the
 * coupon id against the user on record. Without `couponIds` the ledger says which coupon the order redeemed.
 */
export async function reverseOrder(
  resources: ReversalResources,
  request: ReversalRequest,
): Promise<OrderResult<Reversal> & { replayed?: boolean }> {
  const found = await findCoupon(resources, request);
  if (found.kind === "refused") return found;
  const { coupon } = found;
  const { key, orderId, idempotencyKey, ask, reason } = request;
  const { template, batchNumber } = coupon.batch.definition;
  // The key is scoped to the order: a coupon that came back may be redeemed and reversed for another one.
  const keyHash = keyHashOf(resources.hashKey, key.callerId, `r/${orderId}`, idempotencyKey);
  const answer = await resources.router.submit({
    op: "reverse",
    batch: batchNumber,
    shard: coupon.shard,
    request: {
      serial: coupon.serial,
      callerId: key.callerId,
      orderId,
      permitted: coupon.verdict === null,
      couponId: coupon.couponId,
      ask,
      keyHash,
      payload: reversalPayloadHash(ask),
      reversalId: reversalIdOf(key.callerId, orderId, coupon.couponId, keyHash),
      reason,
      restore: request.restoreCoupon ?? template.refundPolicy === "restore",
    },
  });
  if (answer.kind !== "done") return { kind: "refused", refusal: noOutcomeRefusal(answer) };
  const { outcome, place } = answer;
  switch (outcome.kind) {
    case "reversed": {
      const state = shownState(coupon, outcome.restored ? "effective" : "redeemed", outcome.reversedAtMs);
      const { reversalId, reversed, remaining } = outcome;
      const coupons = [{ couponId: coupon.couponId, state }];
      const body = { reversalId, discountReversed: reversed.discount, remaining, coupons };
      return { kind: "done", body, place, replayed: outcome.replayed };
    }
    case "invalid":
      return { kind: "refused", refusal: { code: "request_invalid", errors: outcome.errors } };
    case "refused":
      if (outcome.code === "not_permitted") return refused(coupon.verdict ?? "operation_not_permitted");
      if (outcome.code === "too_many_reversals") return { kind: "refused", refusal: tooMany(orderId) };
      return refused(outcome.code);
    default:
      return refused("shard_recovering", 1);
  }
}

function tooMany(orderId: string): Refusal {
  return {
    code: "reversal_exceeds_redemption",
    detail: "The redemption takes one more reversal, and that has to be of all that is left.",
    limit: { name: "reversals", scope: `order:${orderId}`, max: REVERSALS_MAX, used: REVERSALS_MAX - 1 },
  };
}

async function findCoupon(
  { batches, ledger }: ReversalResources,
  { key, orderId, couponIds, traceparent }: ReversalRequest,
): Promise<{ kind: "found"; coupon: NamedCoupon } | { kind: "refused"; refusal: Refusal }> {
  if (couponIds !== undefined) {
    const coupon = nameUnprovenCoupon(batches, key, couponIds[0] ?? "", "reverse");
    return coupon === null ? refused("coupon_not_found") : { kind: "found", coupon };
  }
  const known = await ledger.couponsOfOrder(key, orderId, traceparent);
  if (known.kind === "refused") return known;
  const coupon = nameUnprovenCoupon(batches, key, known.couponIds[0] ?? "", "reverse");
  return coupon === null ? refused("order_not_found") : { kind: "found", coupon };
}

/** The same reversal has the same id, whenever and by whichever process it is judged. */
function reversalIdOf(callerId: string, orderId: string, couponId: string, keyHash: string): string {
  const digest = createHash("sha256").update([callerId, orderId, couponId, keyHash].join("\n")).digest("hex");
  return `rev_${digest.slice(0, 24)}`;
}
