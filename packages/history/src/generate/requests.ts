import type { Order } from "@coupon/domain";
import type { Operation } from "../history.ts";
import type { OrderAsk, Reply } from "./reference-replies.ts";

/** What every operation has, whatever it asks. */
export type Base = Pick<Operation, "id" | "callerId" | "client" | "calledAtMs" | "returnedAtMs" | "answer">;

export const unknownReply: Reply = {
  status: 503,
  body: { code: "deadline_exceeded", outcome: "unknown" },
  positions: [],
};
export const notNowReply: Reply = { status: 503, body: { code: "shard_recovering", outcome: "none" }, positions: [] };

export function grantReply(replies: Reply[], grants: { idempotencyKey: string }[]): Reply {
  const outcomes = replies.map(({ status, body }, index) => {
    const idempotencyKey = grants[index]?.idempotencyKey;
    if (status < 300) return { idempotencyKey, outcome: status === 201 ? "issued" : "replayed", coupon: body };
    return { idempotencyKey, outcome: status === 503 ? "unavailable" : "refused", problem: body };
  });
  const offsets = replies.flatMap(({ positions }) => positions);
  const last = offsets.toSorted((a, b) => b.offset - a.offset).slice(0, 1);
  return { status: 200, body: { outcomes }, positions: last };
}

export function orderOperation(base: Base, ask: OrderAsk): Operation {
  const { callerId, orderId, userId, coupon } = ask;
  const request = { orderId, userId, couponIds: [coupon.couponId] };
  const whole = { ...base, callerId };
  if (ask.op === "lock") {
    const { order, holdSeconds } = ask;
    return { ...whole, op: "lock", request: { ...request, order, holdSeconds } };
  }
  if (ask.op === "redeem")
    return { ...whole, op: "redeem", request: ask.order === undefined ? request : { ...request, order: ask.order } };
  if (ask.op === "release") return { ...whole, op: "release", request };
  const { key, ask: lines, restore } = ask;
  const reversal = { orderId, idempotencyKey: key, ask: lines, couponIds: [coupon.couponId], reason: "returned" };
  return {
    ...whole,
    op: "reverse",
    request: restore === undefined ? reversal : { ...reversal, restoreCoupon: restore },
  };
}

/** The same number gives the same order. */
export function orderOf(number: number): Order {
  const unitAmount = 200 + ((number * 7_919) % 3_000);
  const lines = [
    { lineId: "1", productId: "p1", quantity: 1 + (number % 3), unitAmount },
    { lineId: "2", productId: "p2", quantity: 1, unitAmount: 333 },
  ];
  return { amount: lines.reduce((sum, line) => sum + line.quantity * line.unitAmount, 0), currency: "CNY", lines };
}
