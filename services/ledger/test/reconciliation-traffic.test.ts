import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Platform } from "./support/platform.ts";

let platform: Platform;

beforeAll(async () => {
  platform = await Platform.start(2);
}, 120_000);
afterAll(() => platform.close());

/** Claims and redeems as fast as it goes, whoever answers, until it is told to stop. */
async function traffic(batchId: string, name: string, isOver: () => boolean): Promise<number> {
  let claimed = 0;
  for (let user = 0; !isOver(); user += 1) {
    const userId = `${name}-${user}`;
    const result = await platform.client.claim(batchId, { userId });
    if (!result.ok) continue;
    claimed += 1;
    if (user % 2 === 0) await platform.redeem(userId, result.value.couponId, `order-${userId}`).catch(() => {});
  }
  return claimed;
}

it("raises no false alarm during traffic with a take-over, and audits meanwhile", async () => {
  const batch = await platform.batch(1, { shards: 4, stock: { total: 40, perUser: 1 } }, "first");
  const big = await platform.batch(2, { shards: 4, stock: { total: 1_000_000, perUser: 1 } }, "first");
  let over = false;
  const crowds = Promise.all(
    Array.from({ length: 16 }, (_, index) =>
      traffic(index < 4 ? batch.batchId : big.batchId, `crowd-${index}`, () => over),
    ),
  );
  const during = [await platform.audit(), await platform.audit()];
  await platform.issuing[0]?.kill("SIGKILL");
  during.push(await platform.audit(), await platform.audit());
  over = true;
  expect((await crowds).reduce((sum, each) => sum + each, 0)).toBeGreaterThan(100);
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
