import type { RedisConnection } from "../../src/index.ts";
import { claimOf, DAY_MS, orderOf, ShardUnderTest } from "./shard.ts";

/** A shard with some of everything. */
export async function busy(redis: RedisConnection): Promise<ShardUnderTest> {
  const shard = await ShardUnderTest.open(redis, { perUser: 3, perDay: 50, buckets: 3 });
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const days = [today, today + DAY_MS];
  await shard.claim(
    ["ann", "bob", "cid", "ann"].map((user, n) => claimOf(user, `k${n}`)),
    days,
  );
  await shard.step(DAY_MS);
  await shard.claim([claimOf("ann", "n1"), claimOf("dan", "n2", { via: "g" })], days);
  await shard.lock();
  await shard.redeem();
  await shard.redeem({ serial: 1, userId: "bob", orderId: "o2", order: orderOf() });
  await shard.reverse({ recordVersion: await shard.version() });
  await shard.lock({ serial: 2, userId: "cid", orderId: "o3" });
  await shard.release({ serial: 2, userId: "cid", orderId: "o3" });
  await shard.release({ serial: 4, orderId: "o4" });
  await shard.deactivate(3);
  await shard.rules({ version: 2, allotment: 90, perUser: 2, buckets: 9 });
  await shard.did(shard.calls.debit(shard.at, shard.expect, { target: 1, amount: 5, credited: 0 }));
  await shard.did(shard.calls.credit(shard.at, shard.expect, 2, 7, 1));
  return shard;
}
