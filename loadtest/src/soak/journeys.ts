import type { Coupon, CouponCalls, CouponClient, Order } from "@coupon/client";
import type { Journal } from "./journal.ts";

/** One arrival: who comes, to which batch, by which names. */
export interface Arrival {
  batchId: string;
  userId: string;
  /** Unique; keys and order ids are made of it. */
  name: string;
}

/** What journeys need of a run. */
export interface Desk {
  client: CouponClient;
  journal: Journal;
  productId: string;
}

/** What one user does. Every arrival but a grant and a stranger begins with a claim. */
type Journey = (desk: Desk, arrival: Arrival) => Promise<void>;

const grantsPerRequest = 20;
const holdSeconds = 600;

/** The mix: shares add up to 1. */
export const journeys: Record<string, { share: number; run: Journey }> = {
  claim: { share: 0.2, run: async (desk, arrival) => void (await claim(desk, arrival)) },
  claimAgain: { share: 0.1, run: claimAgain },
  beyondLimit: { share: 0.1, run: beyondLimit },
  redeemInOneStep: { share: 0.2, run: redeemAndRead },
  lockThenRedeem: { share: 0.12, run: lockThenRedeem },
  lockThenRelease: { share: 0.1, run: lockThenRelease },
  redeemThenReverse: { share: 0.1, run: redeemThenReverse },
  grant: { share: 0.04, run: grant },
  read: { share: 0.03, run: read },
  stranger: { share: 0.01, run: stranger },
};

/** Refusals that the mix asks for. */
export const expectedRefusals: ReadonlySet<string> = new Set([
  "user_limit_reached",
  "coupon_redeemed",
  "batch_not_found",
  "coupon_not_found",
]);

/** Which journey arrival number `index` makes: the shares are kept within any stretch, and are the same in every run. */
export function journeyOf(index: number): Journey {
  let position = (index * 0.618_033_988_749_895) % 1;
  for (const { share, run } of Object.values(journeys)) {
    position -= share;
    if (position < 0) return run;
  }
  return read;
}

async function claim(
  desk: Desk,
  { batchId, userId, name }: Arrival,
  calls: CouponCalls = desk.client,
): Promise<Coupon | undefined> {
  const askedAt = performance.now();
  const result = await calls.claim(batchId, { userId, idempotencyKey: name });
  desk.journal.latencies.record(performance.now() - askedAt);
  const couponId = result.ok ? result.value.couponId : "";
  desk.journal.log({ operation: "claim", key: name, userId, couponId }, result);
  return desk.journal.note(result);
}

async function claimAgain(desk: Desk, arrival: Arrival): Promise<void> {
  await claim(desk, arrival);
  await claim(desk, arrival);
}

async function beyondLimit(desk: Desk, arrival: Arrival): Promise<void> {
  await claim(desk, arrival);
  await claim(desk, { ...arrival, name: `${arrival.name}-more` });
}

async function redeem(desk: Desk, calls: CouponCalls, orderId: string, coupon: Coupon, order?: Order): Promise<void> {
  const { couponId, userId } = coupon;
  const body = { userId, couponIds: [couponId], ...(order !== undefined && { order }) };
  const result = await calls.redeem(orderId, body);
  desk.journal.log({ operation: "redeem", key: orderId, userId, couponId }, result);
  desk.journal.note(result);
}

async function redeemAndRead(desk: Desk, arrival: Arrival): Promise<void> {
  const session = desk.client.session();
  const coupon = await claim(desk, arrival, session);
  if (coupon === undefined) return;
  const orderId = `order-${arrival.name}`;
  await redeem(desk, session, orderId, coupon, orderOf(desk.productId));
  desk.journal.note(await session.getOrder(orderId));
  await redeem(desk, desk.client, `${orderId}-late`, coupon, orderOf(desk.productId));
}

async function lockThenRedeem(desk: Desk, arrival: Arrival): Promise<void> {
  const coupon = await claim(desk, arrival);
  if (coupon === undefined) return;
  const orderId = `order-${arrival.name}`;
  if (await lock(desk, orderId, coupon)) await redeem(desk, desk.client, orderId, coupon);
}

async function lockThenRelease(desk: Desk, arrival: Arrival): Promise<void> {
  const coupon = await claim(desk, arrival);
  if (coupon === undefined) return;
  const orderId = `order-${arrival.name}`;
  await lock(desk, orderId, coupon);
  const { couponId, userId } = coupon;
  desk.journal.note(await desk.client.release(orderId, { userId, couponIds: [couponId] }));
}

async function lock(desk: Desk, orderId: string, { couponId, userId }: Coupon): Promise<boolean> {
  const body = { userId, couponIds: [couponId], order: orderOf(desk.productId), holdSeconds };
  return desk.journal.note(await desk.client.lock(orderId, body)) !== undefined;
}

async function redeemThenReverse(desk: Desk, arrival: Arrival): Promise<void> {
  const coupon = await claim(desk, arrival);
  if (coupon === undefined) return;
  const orderId = `order-${arrival.name}`;
  await redeem(desk, desk.client, orderId, coupon, orderOf(desk.productId));
  const couponIds = [coupon.couponId];
  const some = { couponIds, lines: [{ lineId: "1", quantity: 1 }], reason: "one unit returned" };
  desk.journal.note(await desk.client.reverse(orderId, { ...some, idempotencyKey: `${arrival.name}-some` }));
  const rest = { couponIds, all: true as const, reason: "the rest returned" };
  desk.journal.note(await desk.client.reverse(orderId, { ...rest, idempotencyKey: `${arrival.name}-rest` }));
}

async function grant(desk: Desk, { batchId, userId, name }: Arrival): Promise<void> {
  const grants = Array.from({ length: grantsPerRequest }, (_, index) => ({
    userId: `${userId}-${index}`,
    idempotencyKey: `${name}-${index}`,
  }));
  const { outcomes, failure } = await desk.client.grant(batchId, grants);
  desk.journal.calls += 1;
  if (failure !== undefined) desk.journal.note(failure);
  for (const [index, { outcome, coupon, problem }] of outcomes.entries()) {
    const { userId: to = "", idempotencyKey: key = "" } = grants[index] ?? {};
    const issued = outcome === "issued" || outcome === "replayed";
    const told = issued ? "success" : outcome === "refused" ? "refused" : "unknown";
    const asked = { operation: "claim", key, userId: to, couponId: coupon?.couponId ?? "" } as const;
    desk.journal.write({ ...asked, requestId: "", status: 200, code: problem?.code ?? "", outcome: told });
    if (issued) desk.journal.coupons += 1;
    else desk.journal.refused(problem?.code ?? "unavailable");
  }
}

async function read(desk: Desk, arrival: Arrival): Promise<void> {
  const session = desk.client.session();
  const coupon = await claim(desk, arrival, session);
  desk.journal.note(await desk.client.getBatch(arrival.batchId));
  desk.journal.note(await session.getCouponPage(arrival.userId));
  if (coupon !== undefined) desk.journal.note(await session.getCoupon(coupon.couponId, arrival.userId));
}

async function stranger(desk: Desk, arrival: Arrival): Promise<void> {
  desk.journal.note(await desk.client.claim("no-such-batch", { userId: arrival.userId, idempotencyKey: arrival.name }));
  desk.journal.note(await desk.client.getCoupon("1FORGED0FORGED0FORGED0", arrival.userId));
}

function orderOf(productId: string): Order {
  const line = { lineId: "1", productId, quantity: 2, unitAmount: 1_000 };
  return { amount: 2_000, currency: "USD", lines: [line] };
}
