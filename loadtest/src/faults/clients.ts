import { setTimeout as sleep } from "node:timers/promises";
import type { Order } from "@coupon/domain";
import type { Answer } from "@coupon/history";
import type { Requests, Sendable } from "../history/recorder.ts";
import type { ClientPlan, Step } from "./draw-steps.ts";
import type { Platform } from "./platform.ts";

interface KnownCoupon {
  couponId: string;
  userId: string;
}

/** Coupons that any client was told of, in order; few, so that clients meet at the same ones. */
export class KnownCoupons {
  readonly #coupons: KnownCoupon[] = [];
  readonly #ids = new Set<string>();

  add({ couponId, userId }: KnownCoupon): void {
    if (this.#ids.has(couponId)) return;
    this.#ids.add(couponId);
    this.#coupons.push({ couponId, userId });
  }

  /** Mostly a late one: what happened to the early ones is over. */
  pick(number: number): KnownCoupon | undefined {
    return this.#coupons.at(-1 - (number % Math.max(1, this.#coupons.length)));
  }
}

/** Goes through a client's steps, one after the other, until `until`. */
export async function runClient(
  platform: Platform,
  plan: ClientPlan,
  known: KnownCoupons,
  until: number,
): Promise<void> {
  for (const step of plan.steps) {
    if (performance.now() >= until) return;
    if (step.pauseMs > 0) await sleep(step.pauseMs);
    const [op, request] = requestOf(step, known) ?? [];
    if (op === undefined || request === undefined) continue;
    const send = () => sendUntilKnown(platform, plan.name, op, request, step.repeats, until);
    const answers = await Promise.all(Array.from({ length: step.copies }, send));
    for (const answer of answers) if (op === "claim" || op === "grant") remember(answer, known);
  }
}

async function sendUntilKnown<Name extends Sendable>(
  { recorder, shop }: Platform,
  client: string,
  op: Name,
  request: Requests[Name],
  repeats: number,
  until: number,
): Promise<Answer | null> {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await recorder.send(shop, op, request, client);
    const isKnown = answer !== null && answer.status < 500;
    if (isKnown || attempt >= repeats || performance.now() >= until) return answer;
    await sleep(20 + 20 * Math.min(attempt, 10));
  }
}

function remember(answer: Answer | null, known: KnownCoupons): void {
  if (answer === null || answer.status >= 300) return;
  const coupons = answer.body.outcomes?.map(({ coupon }) => coupon) ?? [answer.body];
  for (const { couponId, userId } of coupons.filter((coupon) => coupon !== undefined)) {
    if (couponId !== undefined && userId !== undefined) known.add({ couponId, userId });
  }
}

type Ask = { [Name in Sendable]: [Name, Requests[Name]] }[Sendable];

/** What a step sends; nothing where it needs a coupon and none is known. */
function requestOf(step: Step, known: KnownCoupons): Ask | null {
  if (step.op === "claim") {
    return ["claim", { batchId: `batch-${step.batch + 1}`, userId: step.user, idempotencyKey: step.key }];
  }
  if (step.op === "grant") {
    const grants = step.grants.map(({ user, key }) => ({ userId: user, idempotencyKey: key }));
    return ["grant", { batchId: `batch-${step.batch + 1}`, grants }];
  }
  const coupon = known.pick(step.pick);
  if (coupon === undefined) return null;
  const { couponId } = coupon;
  const userId = "thief" in step && step.thief ? "thief" : coupon.userId;
  const orderId = `order-${couponId}-${"order" in step ? step.order : 0}`;
  const common = { orderId, userId, couponIds: [couponId] };
  switch (step.op) {
    case "lock":
      return ["lock", { ...common, order: orderOf(step.content), holdSeconds: step.holdSeconds }];
    case "redeem":
      return ["redeem", { ...common, ...(step.content === null ? {} : { order: orderOf(step.content) }) }];
    case "release":
      return ["release", common];
    case "reverse": {
      const ask =
        step.quantity === 0 ? ({ all: true } as const) : { lines: [{ lineId: "1", quantity: step.quantity }] };
      const named = step.named ? { couponIds: [couponId] } : {};
      return ["reverse", { orderId, idempotencyKey: step.key, ask, ...named, reason: "returned" }];
    }
    case "read":
      if (step.what === "coupon") return ["readCoupon", { couponId, userId }];
      return step.what === "order" ? ["readOrder", { orderId }] : ["listCoupons", { userId }];
  }
}

function orderOf(content: number): Order {
  const lines = [
    { lineId: "1", productId: "p1", quantity: 2 + content, unitAmount: 900 },
    { lineId: "2", productId: "p2", quantity: 1, unitAmount: 333 },
  ];
  return { amount: (2 + content) * 900 + 333, currency: "CNY", lines };
}
