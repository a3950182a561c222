import { eventually } from "@coupon/testkit";
import type { Answer, SignedCaller } from "./signed-caller.ts";

/** A request that changes something, ready to be sent again and again. */
export interface Change {
  method: "POST";
  path: string;
  body: Record<string, unknown>;
  idempotencyKey?: string;
}

export const changeNames = ["claim", "grants", "lock", "redeem", "release", "reversals"] as const;
export type ChangeName = (typeof changeNames)[number];

export const order = {
  ...{ amount: 10_000, currency: "CNY" },
  lines: [{ lineId: "1", productId: "p", quantity: 2, unitAmount: 5_000 }],
};

/** Each change, for a user of its own called after it, with what has to go before it done. */
export async function prepareChanges(caller: SignedCaller, batchId: string): Promise<Record<ChangeName, Change>> {
  const at = (userId: string, coupon: string) => ({ userId, couponIds: [coupon] });
  const lock = await claimed(caller, batchId, "lock");
  const redeem = await claimed(caller, batchId, "redeem");
  const release = await claimed(caller, batchId, "release");
  const reversals = await claimed(caller, batchId, "reversals");
  const locking = { ...at("release", release), order, holdSeconds: 600 };
  await done(send(caller, post("/v1/orders/release/lock", locking)));
  await done(send(caller, post("/v1/orders/reversals/redeem", { ...at("reversals", reversals), order })));
  const all = { couponIds: [reversals], all: true, reason: "returned" };
  return {
    claim: post(`/v1/batches/${batchId}/claims`, { userId: "claim" }, "claim"),
    grants: post(`/v1/batches/${batchId}/grants`, { grants: [{ idempotencyKey: "grants", userId: "grants" }] }),
    lock: post("/v1/orders/lock/lock", { ...at("lock", lock), order, holdSeconds: 600 }),
    redeem: post("/v1/orders/redeem/redeem", { ...at("redeem", redeem), order }),
    release: post("/v1/orders/release/release", at("release", release)),
    reversals: post("/v1/orders/reversals/reversals", all, "reversals"),
  };
}

/** The same request, or of a lock one with an earlier deadline: the same deadline from now on would be a later one. */
export function again(change: Change): Change {
  const { holdSeconds } = change.body;
  if (typeof holdSeconds !== "number") return change;
  return { ...change, body: { ...change.body, holdSeconds: Math.ceil(holdSeconds / 4) } };
}

export function send(caller: SignedCaller, { method, path, body, idempotencyKey }: Change): Promise<Answer> {
  return caller.call(method, path, body, idempotencyKey === undefined ? {} : { idempotencyKey });
}

/** Why a change has not been made, or null where it has; of one grant what became of it, for its answer is always 200. */
export function refusalIn({ status, body }: Answer): Record<string, unknown> | null {
  if (status >= 300) return body;
  const [granted] = (body.outcomes ?? []) as { problem?: Record<string, unknown> }[];
  return granted?.problem ?? null;
}

/** What was given, the same each time. */
export function givenBy({ body }: Answer): unknown {
  const [granted] = (body.outcomes ?? []) as { coupon?: unknown }[];
  return granted === undefined ? body : granted.coupon;
}

async function claimed(caller: SignedCaller, batchId: string, user: string): Promise<string> {
  const { body } = await eventually(async () => {
    const answer = await caller.claim(batchId, user, `before-${user}`);
    return answer.status < 300 ? answer : false;
  });
  return body.couponId as string;
}

async function done(sent: Promise<Answer>): Promise<void> {
  const { status, body } = await sent;
  if (status >= 300) throw new Error(`refused: ${JSON.stringify(body)}`);
}

function post(path: string, body: Record<string, unknown>, idempotencyKey?: string): Change {
  return { method: "POST", path, body, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
}
