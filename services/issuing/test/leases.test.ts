import { connectRedis, createLeases } from "@coupon/redis";
import { createLogger } from "@coupon/service-kit";
import { eventually, uniqueName } from "@coupon/testkit";
import { expect, test } from "vitest";
import { LeaseKeeper } from "../src/owner/leases.ts";

const LONG_MS = 60_000;

test("a front is told where those are that hold leases, and once they hold none", async () => {
  const redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  const leases = createLeases({ redis, prefix: uniqueName("l") });
  const seen: string[][] = [];
  const front = new LeaseKeeper(
    {
      ...{ leases, processId: "front", address: "front:1", partitions: 2, ttlMs: 200 },
      logger: createLogger({ name: "test", level: "silent" }),
      owners: (addresses) => seen.push([...addresses]),
    },
    null,
  );
  for (const [processId, partition] of [
    ["a", 0],
    ["b", 1],
  ] as const) {
    await leases.join(processId, `${processId}:1`, LONG_MS);
    await leases.acquire(partition, processId, LONG_MS);
  }
  await leases.join("idle", "idle:1", LONG_MS);
  await front.start();
  expect(seen).toEqual([["a:1", "b:1"]]);
  await leases.release(0, "a");
  await eventually(() => JSON.stringify(seen.at(-1)) === '["b:1"]');
  await front.stop(0);
  await redis.close();
});
