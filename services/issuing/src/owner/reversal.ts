import { type Discount, judgeReversal, REDEMPTIONS_MAX } from "@coupon/domain";
import type {
  Applied,
  CouponRecord,
  CouponRequest,
  Expectation,
  ReverseRequest,
  ShardAddress,
  ShardCalls,
} from "@coupon/redis";

/** A reversal as asked: of everything that is left, or of quantities of lines. */
export interface ReversalAsk extends Omit<CouponRequest, "userId"> {
  /** Its user is the one on record, and the id must prove to be that user's. */
  couponId: string;
  ask: { all: true } | { lines: { lineId: string; quantity: number }[] };
  keyHash: string;
  payload: string;
  reversalId: string;
  reason: string;
  /** Whether the coupon comes back once all of its redemption is reversed. */
  restore: boolean;
}

export type ReversalOutcome =
  | {
      kind: "reversed";
      replayed: boolean;
      reversalId: string;
      reversed: Discount;
      remaining: number;
      restored: boolean;
      reversedAtMs: number;
    }
  | {
      kind: "refused";
      code:
        | "coupon_not_found"
        | "order_not_found"
        | "idempotency_conflict"
        | "not_permitted"
        | "reversal_exceeds_redemption"
        | "too_many_reversals";
    }
  | { kind: "invalid"; errors: { pointer: string; message: string }[] }
  | { kind: "cold" }
  /** The record changed since it was read, or there is more of it now: ask again. */
  | { kind: "again" };

/** Whether a coupon id is one that was issued to this user. */
export type BelongsTo = (couponId: string, userId: string) => boolean;

/**
 * Judges each reversal against the record in Redis and applies those that hold, guarded by the record's
 * version. A reversal on record under its key is answered again.
 */
export async function reverseAll(
  calls: ShardCalls,
  at: ShardAddress,
  expect: Expectation,
  asks: ReversalAsk[],
  belongsTo: BelongsTo,
): Promise<Applied<ReversalOutcome>> {
  const records = await calls.readRecords(
    at,
    asks.map(({ serial }) => serial),
  );
  const judged = asks.map((ask, index) => judge(ask, records[index] ?? null, belongsTo));
  const requests = judged.flatMap((one) => (one.kind === "apply" ? [one.request] : []));
  const applied = await calls.reverse(at, expect, requests);
  if (applied.kind === "mismatch") return applied;
  let next = 0;
  const outcomes = judged.map((one): ReversalOutcome => {
    if (one.kind === "answer") return one.outcome;
    const outcome = applied.outcomes[next];
    next += 1;
    if (outcome?.kind === "reversed") {
      const { reversalId, reversed, remaining, restored } = one.request;
      const { reversedAtMs } = outcome;
      return { kind: "reversed", replayed: false, reversalId, reversed, remaining, restored, reversedAtMs };
    }
    if (outcome?.kind === "cold") return { kind: "cold" };
    if (outcome?.kind !== "refused") return { kind: "again" };
    const code = outcome.code === "not_permitted" ? "not_permitted" : "reversal_exceeds_redemption";
    return { kind: "refused", code };
  });
  return { ...applied, outcomes };
}

type Judged = { kind: "answer"; outcome: ReversalOutcome } | { kind: "apply"; request: ReverseRequest };

function judge(
  ask: ReversalAsk,
  found: { version: number; record: CouponRecord } | null,
  belongsTo: BelongsTo,
): Judged {
  if (found === null) return { kind: "answer", outcome: { kind: "cold" } };
  if (found.record.redemptions.length === 0) return refused("order_not_found");
  if (!belongsTo(ask.couponId, found.record.userId)) return refused("coupon_not_found");
  const order = `${ask.callerId}/${ask.orderId}`;
  const redemption = found.record.redemptions.find((one) => one.order === order);
  if (redemption === undefined) return refused("order_not_found");
  const replay = redemption.reversals.find(({ keyHash }) => keyHash === ask.keyHash);
  if (replay !== undefined) {
    if (replay.payload !== ask.payload) return refused("idempotency_conflict");
    const { reversalId, reversed, remaining, restored, reversedAtMs } = replay;
    return {
      kind: "answer",
      outcome: { kind: "reversed", replayed: true, reversalId, reversed, remaining, restored, reversedAtMs },
    };
  }
  if (!ask.permitted) return refused("not_permitted");
  const judgement = judgeReversal(redemption, ask.ask);
  if (judgement.kind === "request_invalid") {
    return { kind: "answer", outcome: { kind: "invalid", errors: judgement.errors } };
  }
  if (judgement.kind !== "reversed") return refused(judgement.kind);
  const { reversed, remaining, complete } = judgement;
  return {
    kind: "apply",
    request: {
      ...ask,
      userId: found.record.userId,
      recordVersion: found.version,
      reversed,
      remaining,
      restored: complete && ask.restore && found.record.redemptions.length < REDEMPTIONS_MAX,
    },
  };
}

function refused(code: Extract<ReversalOutcome, { kind: "refused" }>["code"]): Judged {
  return { kind: "answer", outcome: { kind: "refused", code } };
}
