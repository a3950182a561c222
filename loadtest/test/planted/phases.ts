import { type Order, partitionOf } from "@coupon/domain";
import { shardOf } from "@coupon/redis";
import { setClockOffset } from "@coupon/redis/testing";
import { eventually } from "@coupon/testkit";
import { readBooks } from "../../src/history/read-ledger.ts";
import { forgeEntry, loseOutbox, restoreShards, snapshotShards, wipeShards } from "./faults.ts";
import { firstDefinition, type World } from "./world.ts";

/** What a run does, one after the other; each brings its own batches. */
export const phases = { calm, rollback, wipe, fence, takeOver, zombie, drain, lostDebit, expiry };
export type PhaseName = keyof typeof phases;

const DAY_MS = 86_400_000;
const VALID_MS = 1_500;
const FALLS_BACK_MS_MIN = 400;
const FALLS_BACK_MS_MAX = 3_000;

const order: Order = line(2, 900);
const otherOrder: Order = line(3, 900);

function line(quantity: number, unitAmount: number): Order {
  const lines = [{ lineId: "1", productId: "p1", quantity, unitAmount }];
  return { amount: quantity * unitAmount, currency: "CNY", lines };
}

async function calm(world: World): Promise<void> {
  await Promise.all([repeats(world), limits(world), days(world), pauses(world), orders(world)]);
}

/** The same claim several times at once: the later ones meet an entry on its way. */
async function repeats(world: World): Promise<void> {
  const { batchId } = await world.publish(1);
  await world.claim(batchId, "first");
  const grants = [0, 1, 2].map((user) => ({ userId: `granted-${user}`, idempotencyKey: "g1" }));
  for (let time = 0; time < 2; time += 1) await world.settle("grant", { batchId, grants });
  for (let round = 0; round < 25; round += 1) {
    const ask = { batchId, userId: `repeats-${round}`, idempotencyKey: "k1" };
    const later = [0, 1, 2, 3].map(async (ms) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      await world.parts.recorder.send(world.shop, "claim", ask);
    });
    await Promise.all(later);
  }
}

async function limits(world: World): Promise<void> {
  const { batchId } = await world.publish(2, { stock: { total: 30, perUser: 2 } });
  for (const key of ["k1", "k2", "k3", "k2"]) {
    await Promise.all(Array.from({ length: 8 }, (_, user) => world.claim(batchId, `limits-${user}`, key)));
  }
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: 8 }, (_, user) => world.claim(batchId, `more-${round}-${user}`)));
  }
}

/** More than a day's stock is asked for, and more than the next day's on the next. */
async function days(world: World): Promise<void> {
  const { batchId, batchNumber } = await world.publish(3, { stock: { total: 100, perUser: 1, perDay: 6 } });
  for (let user = 0; user < 10; user += 1) await world.claim(batchId, `days-${user}`);
  await setClockOffset(world.parts.redis, world.prefix, { batch: batchNumber, shard: 0 }, DAY_MS);
  for (let user = 0; user < 10; user += 1) await world.claim(batchId, `next-day-${user}`);
}

async function pauses(world: World): Promise<void> {
  const { batchId } = await world.publish(4);
  await world.claim(batchId, "before");
  await world.publish(4, { state: "paused" });
  for (let user = 0; user < 60; user += 1) {
    const answer = await world.claim(batchId, `paused-${user}`);
    if (answer?.status === 409 && user > 5) return;
  }
}

async function orders(world: World): Promise<void> {
  const { batchId } = await world.publish(5);
  await Promise.all(Array.from({ length: 4 }, (_, number) => oneCoupon(world, batchId, `o${number}`)));
}

/** One coupon through all that may happen to it, each step asked for by those who may and those who may not. */
async function oneCoupon(world: World, batchId: string, name: string): Promise<void> {
  const issued = await world.claim(batchId, name);
  const couponIds = [String(issued?.body.couponId)];
  const by = (orderId: string, userId = name) => ({ orderId: `${name}-${orderId}`, userId, couponIds });
  const lock = (orderId: string, content = order, holdSeconds = 600) =>
    world.settle("lock", { ...by(orderId), order: content, holdSeconds });
  const redeem = (orderId: string, content?: Order) =>
    world.settle("redeem", { ...by(orderId), ...(content === undefined ? {} : { order: content }) });
  const reverse = (orderId: string, idempotencyKey: string, quantity: number) => {
    const ask = quantity === 0 ? ({ all: true } as const) : { lines: [{ lineId: "1", quantity }] };
    const request = { orderId: `${name}-${orderId}`, idempotencyKey, ask, couponIds, reason: "returned" };
    return world.settle("reverse", request);
  };
  await world.settle("lock", { ...by("theft", "thief"), order, holdSeconds: 600 });
  await lock("a");
  await lock("a", order, 900);
  await lock("a", otherOrder);
  await lock("b");
  await redeem("b", order);
  await world.settle("release", by("a"));
  await lock("a");
  await lock("c");
  await redeem("c");
  await redeem("c");
  await redeem("d", order);
  await reverse("c", "r1", 1);
  await reverse("c", "r1", 1);
  await reverse("c", "r2", 2);
  await reverse("c", "r3", 0);
  // Of one coupon the redemption is the last that happens to its hold.
  if (name !== "o0") await lock("e");
}

/** Redis goes back to what it was some moments ago, as after a restart with less; then everything is asked again. */
async function rollback(world: World): Promise<void> {
  const { batchId } = await world.publish(11);
  await world.claim(batchId, "first");
  const before = await snapshotShards(world);
  // What the ledger has not applied yet is redone from the log; the rest would be built from its rows.
  world.ledger.kill("SIGSTOP");
  await busy(world, batchId, "rollback");
  await restoreShards(world, before);
  await askAgain(world, batchId, "rollback");
  world.ledger.kill("SIGCONT");
}

/** Redis loses everything; then everything is asked again. */
async function wipe(world: World): Promise<void> {
  const { batchId } = await world.publish(12, { stock: { total: 14, perUser: 1 } });
  await busy(world, batchId, "wipe");
  await wipeShards(world);
  await askAgain(world, batchId, "wipe");
}

const USERS = 8;

async function busy(world: World, batchId: string, name: string): Promise<void> {
  const issued = await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `${name}-${user}`)));
  await Promise.all(
    issued.slice(0, 4).map((answer, user) => {
      const couponIds = [String(answer?.body.couponId)];
      const request = { orderId: `${name}-first-${user}`, userId: `${name}-${user}`, couponIds, order };
      return world.settle("redeem", request);
    }),
  );
}

async function askAgain(world: World, batchId: string, name: string): Promise<void> {
  // New users first: they need nothing that is on record.
  await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `${name}-new-${user}`)));
  const again = await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `${name}-${user}`)));
  await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `${name}-${user}`, "k2")));
  for (const orderId of ["second", "first"]) {
    const asked = again.slice(0, 4).map((answer, user) => {
      const couponIds = [String(answer?.body.couponId)];
      const request = { orderId: `${name}-${orderId}-${user}`, userId: `${name}-${user}`, couponIds, order };
      return world.settle("redeem", request);
    });
    await Promise.all(asked);
  }
}

/** Another process takes the partition over in the log, unseen. */
async function rival(world: World, batchNumber: number, shard = 0): Promise<number> {
  const marker = { v: 1, kind: "marker", owner: "rival", at: Date.now() } as const;
  return world.parts.appender.appendMarker(partitionOf(batchNumber, shard, world.log.partitions), marker, 5_000);
}

/** Claims go on while a rival takes over. */
async function fence(world: World): Promise<void> {
  const { batchId, batchNumber } = await world.publish(13);
  await world.claim(batchId, "first");
  for (let round = 0; round < 2; round += 1) {
    await rival(world, batchNumber);
    await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `fence-${round}-${user}`)));
  }
}

/** Another process opens the partition and the shard in it, unseen; then Redis loses everything before it has written. */
async function takeOver(world: World): Promise<void> {
  const { batchId, batchNumber } = await world.publish(21);
  await world.claim(batchId, "first");
  const epoch = await rival(world, batchNumber);
  await world.parts.redis.hset(`${world.prefix}{${batchNumber}.0}:h`, "e", epoch);
  await world.claim(batchId, "after-rival");
  await wipeShards(world);
  await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `take-over-${user}`)));
}

/** What an owner of before had sent arrives late, under its old epoch. */
async function zombie(world: World): Promise<void> {
  const { batchId, batchNumber } = await world.publish(14);
  await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `zombie-${user}`)));
  await rival(world, batchNumber);
  await world.claim(batchId, "after-rival");
  await forgeEntry(world, batchNumber);
  await Promise.all(Array.from({ length: USERS }, (_, user) => world.claim(batchId, `zombie-new-${user}`)));
}

/** Coupons come to the end of their validity: untouched, redeemed, reversed, and held beyond it. */
async function expiry(world: World): Promise<void> {
  const { template } = firstDefinition(22);
  const until = new Date(Date.now() + VALID_MS).toISOString();
  const validity = { from: "2024-01-01T00:00:00Z", until };
  const { batchId, batchNumber } = await world.publish(22, { template: { ...template, validity } });
  const users = ["untouched", "idle", "redeemed", "reversed", "held"];
  const couponIds = new Map<string, string[]>();
  for (const user of users) {
    couponIds.set(user, [String((await world.claim(batchId, user))?.body.couponId)]);
  }
  const by = (userId: string) => ({ orderId: userId, userId, couponIds: couponIds.get(userId) ?? [], order });
  await world.settle("lock", { ...by("held"), holdSeconds: 600 });
  for (const user of ["redeemed", "reversed"]) await world.settle("redeem", by(user));
  const reverse = (orderId: string) => {
    const ask = { all: true } as const;
    const request = { orderId, idempotencyKey: "r1", ask, couponIds: couponIds.get(orderId) ?? [], reason: "returned" };
    return world.settle("reverse", request);
  };
  await reverse("reversed");
  await eventually(async () => {
    const { shards } = await readBooks(world.parts.pool);
    return shards.some(({ batch, swept }) => batch === batchNumber && swept === users.length);
  });
  // What comes back when it is over comes back as nothing.
  await reverse("redeemed");
}

/** A crowd at one shard of four draws the stock of all; then the others come. */
async function drain(world: World): Promise<void> {
  const shards = 4;
  const { batchId, batchNumber } = await world.publish(15, { shards, stock: { total: 40, perUser: 1 } });
  const users = Array.from({ length: 400 }, (_, user) => `drain-${user}`);
  const byShard = Map.groupBy(users, (user) => shardOf(world.hashKey, batchNumber, user, shards));
  for (const shard of [0, 1, 2, 3]) {
    const crowd = (byShard.get(shard) ?? []).slice(0, shard === 0 ? 36 : 10);
    for (let from = 0; from < crowd.length; from += 6) {
      await Promise.all(crowd.slice(from, from + 6).map((user) => world.claim(batchId, user)));
    }
  }
}

/**
 * An empty shard draws on another whose partition a rival has taken over and whose Redis keeps falling back. An opening
 * that comes between the debit and the next fall finds it and writes it anew, so there are several of them.
 */
async function lostDebit(world: World): Promise<void> {
  await Promise.all([16, 17, 18, 19].map((number) => loseDebit(world, number)));
}

async function loseDebit(world: World, number: number): Promise<void> {
  const shards = 2;
  const { batchId, batchNumber } = await world.publish(number, { shards, stock: { total: 20, perUser: 1 } });
  const users = Array.from({ length: 120 }, (_, user) => `debit-${user}`);
  const byShard = Map.groupBy(users, (user) => shardOf(world.hashKey, batchNumber, user, shards));
  const claimAll = (shard: number, from: number, to: number) =>
    Promise.all((byShard.get(shard) ?? []).slice(from, to).map((user) => world.claim(batchId, user)));
  await claimAll(1, 0, 1);
  await claimAll(0, 0, 10);
  const source = `{${batchNumber}.1}`;
  const before = await snapshotShards(world, source);
  await rival(world, batchNumber, 1);
  const beganAtMs = performance.now();
  const isOver = async (): Promise<boolean> => {
    const tookMs = performance.now() - beganAtMs;
    if (tookMs < FALLS_BACK_MS_MIN) return false;
    // A slow machine comes to its first debit late; a sound one never credits what keeps being lost.
    const credited = await world.parts.redis.hexists(`${world.prefix}{${batchNumber}.0}:h`, "C1");
    return credited === 1 || tookMs > FALLS_BACK_MS_MAX;
  };
  const fallingBack = async () => {
    do await loseOutbox(world, before, source);
    while (!(await isOver()));
    await restoreShards(world, before, source);
  };
  await Promise.all([fallingBack(), claimAll(0, 10, 14)]);
  await claimAll(0, 14, 24);
  await claimAll(1, 0, 12);
}
