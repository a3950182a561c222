import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Platform } from "./support/platform.ts";

/** An audit that walks over the log several times, for not all coupons fit into one walk. */
const AT_ONCE = 1_000;
const COUPONS = 2_500;
let platform: Platform;

beforeAll(async () => {
  platform = await Platform.start(1, () => ({ AUDIT_COUPONS_AT_ONCE: String(AT_ONCE) }));
}, 120_000);
afterAll(() => platform.close());

/** A batch of one shard, of which all is in PostgreSQL. */
async function books(number: number): Promise<{ batchId: string; key: (rest: string) => string }> {
  const { batchId, batchNumber } = await platform.batch(number);
  const users = Array.from({ length: COUPONS }, (_, user) => ({ userId: `u${user}` }));
  const granted = await platform.client.grant(batchId, users);
  expect(granted.outcomes.every(({ outcome }) => outcome === "issued")).toBe(true);
  await eventually(
    async () => {
      const { rows } = await platform.world.pool.query("SELECT issued FROM ledger.shard WHERE batch = $1", [
        batchNumber,
      ]);
      return rows[0]?.issued > COUPONS;
    },
    { timeoutMs: 20_000 },
  );
  return { batchId, key: (rest) => `${platform.world.keyPrefix}{${batchNumber}.0}:${rest}` };
}

it("compares every coupon and line of every part, in both stores", async () => {
  await books(1);
  const { batchId, key } = await books(2);
  expect(await platform.audit({})).toMatchObject({ state: "clean", found: 0, shards: 2 });
  const serials = [500, 1_500, 2_499];
  for (const serial of serials) {
    await platform.redis.call("BITFIELD", key("s0"), "SET", "u2", `#${serial}`, "3");
    await platform.world.pool.query("UPDATE ledger.coupon SET user_id = 'nobody' WHERE batch = 2 AND serial = $1", [
      serial + 1,
    ]);
  }
  const { discrepancies } = await platform.audit({ batchId });
  const found = discrepancies.map(({ store, kind, serial }: Record<string, unknown>) => `${store} ${kind} ${serial}`);
  const expected = serials.flatMap((serial) => [`redis state ${serial}`, `postgresql facts ${serial + 1}`]);
  expect(found.toSorted()).toEqual(expected.toSorted());
});
