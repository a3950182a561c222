import { setTimeout as sleep } from "node:timers/promises";
import type { Order } from "@coupon/domain";
import type { Answer } from "@coupon/history";
import type { Requests, Sendable } from "../history/recorder.ts";
import type { Platform } from "./platform.ts";
import type { Ask, ClientPlan } from "./schedule.ts";

const RETRY_MS = 40;

/** What clients have learnt: the coupons of a user of a batch. */
export type Wallets = Map<string, string[]>;

/** Goes through a client's steps until they or the time are over. */
export async function runClient(platform: Platform, plan: ClientPlan, wallets: Wallets, untilMs: number) {
  for (const { afterMs, at, tries, ask } of plan.steps) {
    if (performance.now() >= untilMs) return;
    await sleep(afterMs);
    if (ask.do === "publish") {
      await platform.batches.publish(ask.batch, ask.change);
      continue;
    }
    const message = messageOf(ask, wallets);
    if (message !== null) await sendUntilSettled(platform, message, { client: plan.name, at, tries, wallets });
  }
}

type Message = { [Name in Sendable]: { op: Name; request: Requests[Name] } }[Sendable];

interface How {
  client: string;
  at: number;
  tries: number;
  wallets: Wallets;
}

async function sendUntilSettled({ recorder, shop }: Platform, message: Message, how: How): Promise<void> {
  for (let attempt = 1; attempt <= how.tries; attempt += 1) {
    const answer = await recorder.send(shop, message.op, message.request, how.client, how.at);
    learn(how.wallets, message, answer);
    if (answer !== null && answer.status !== 503) return;
    await sleep(RETRY_MS);
  }
}

function learn(wallets: Wallets, { op, request }: Message, answer: Answer | null): void {
  if (answer === null || answer.status >= 300) return;
  if (op === "claim") add(wallets, request.batchId, request.userId, answer.body.couponId);
  if (op !== "grant") return;
  for (const [index, { coupon }] of answer.body.outcomes.entries()) {
    if (coupon !== undefined) add(wallets, request.batchId, request.grants[index]?.userId ?? "", coupon.couponId);
  }
}

function add(wallets: Wallets, batchId: string, userId: string, couponId: string): void {
  const known = wallets.get(`${batchId}/${userId}`) ?? [];
  if (!known.includes(couponId)) known.push(couponId);
  wallets.set(`${batchId}/${userId}`, known);
}

/** Null where the user's coupon is not known: then there is nothing to ask. */
function messageOf(ask: Exclude<Ask, { do: "publish" }>, wallets: Wallets): Message | null {
  const batchId = `batch-${ask.batch}`;
  if (ask.do === "claim") return { op: "claim", request: { batchId, userId: ask.user, idempotencyKey: ask.key } };
  if (ask.do === "grant") {
    const grants = ask.grants.map(({ user, key }) => ({ userId: user, idempotencyKey: key }));
    return { op: "grant", request: { batchId, grants } };
  }
  // An order keeps to one coupon: its last letter says which.
  const known = wallets.get(`${batchId}/${ask.user}`) ?? [];
  const couponId = known[ask.order.endsWith("a") ? 0 : known.length - 1];
  if (couponId === undefined) return null;
  const of = { orderId: ask.order, userId: ask.user, couponIds: [couponId] };
  switch (ask.do) {
    case "lock":
      return { op: "lock", request: { ...of, order: orderOf(ask.size), holdSeconds: ask.holdSeconds } };
    case "redeem":
      return { op: "redeem", request: { ...of, ...(ask.size === null ? {} : { order: orderOf(ask.size) }) } };
    case "release":
      return { op: "release", request: of };
    case "reverse": {
      const what =
        ask.quantity === null ? { all: true as const } : { lines: [{ lineId: "1", quantity: ask.quantity }] };
      const { orderId, couponIds } = of;
      return {
        op: "reverse",
        request: { orderId, couponIds, idempotencyKey: ask.key, ask: what, reason: "returned" },
      };
    }
  }
}

function orderOf(quantity: number): Order {
  const lines = [{ lineId: "1", productId: "p1", quantity, unitAmount: 900 }];
  return { amount: quantity * 900, currency: "CNY", lines };
}
