import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Platform } from "./support/platform.ts";

let platform: Platform;

beforeAll(async () => {
  platform = await Platform.start(2);
}, 120_000);
afterAll(() => platform.close());

let claimed = 0;

/**
 * Claims as fast as it goes, whoever answers, until it is told to stop; redeems what was claimed a while before, so that
 * coupons change which every audit under way has to compare.
 */
async function traffic(batchId: string, name: string, isOver: () => boolean): Promise<void> {
  const held: { userId: string; couponId: string }[] = [];
  for (let user = 0; !isOver(); user += 1) {
    const userId = `${name}-${user}`;
    const result = await platform.client.claim(batchId, { userId });
    if (result.ok) {
      claimed += 1;
      held.push({ userId, couponId: result.value.couponId });
    }
    if (held.length < HELD) continue;
    const { userId: owner, couponId } = held.shift() as (typeof held)[number];
    await platform.redeem(owner, couponId, `order-${owner}`).catch(() => {});
  }
}

const HELD = 60;

it("raises no false alarm during traffic with a take-over, and audits meanwhile", async () => {
  const batch = await platform.batch(1, { shards: 4, stock: { total: 40, perUser: 1 } }, "first");
  const big = await platform.batch(2, { shards: 4, stock: { total: 1_000_000, perUser: 1 } }, "first");
  let over = false;
  const crowds = Promise.all(
    Array.from({ length: 16 }, (_, index) =>
      traffic(index < 4 ? batch.batchId : big.batchId, `crowd-${index}`, () => over),
    ),
  );
  await eventually(() => claimed > 16 * HELD, { timeoutMs: 30_000 });
  const during = [];
  for (let audit = 0; audit < 8; audit += 1) {
    if (audit === 4) platform.issuing[0]?.kill("SIGKILL");
    during.push(await platform.audit());
  }
  over = true;
  await crowds;
  for (const { state, found, detail } of during) expect({ state, found, detail }).toEqual(CLEAN);
  await eventually(
    async () => {
      const { shards, proven } = await platform.proof();
      return shards === 8 && proven === 8;
    },
    { timeoutMs: 30_000 },
  );
  const { proof, items } = (await platform.world.ops("/reconciliations")).body;
  expect(proof.drifting).toEqual([]);
  // The running proof has started none either.
  expect(items.map((each: { trigger: string }) => each.trigger)).not.toContain("proof");
  // The last claims may be on their way into PostgreSQL while an audit takes its cut.
  await eventually(
    async () => {
      const last = await platform.audit();
      expect(last).toMatchObject({ ...CLEAN, shards: 8 });
      return (await platform.proof()).stock.issued === last.coupons;
    },
    { timeoutMs: 20_000 },
  );
}, 170_000);

const CLEAN = { state: "clean", found: 0, detail: null };
