import { eventually, uniqueName } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLeases, type RedisConnection } from "../src/index.ts";
import { connect } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());
const fresh = () => createLeases({ redis, prefix: uniqueName("t") });

test("a partition has one owner until it gives it up", async () => {
  const leases = fresh();
  expect(await leases.acquire(0, "p1", 60_000)).toBe(true);
  expect(await leases.acquire(0, "p1", 60_000)).toBe(true);
  expect(await leases.acquire(0, "p2", 60_000)).toBe(false);
  expect(await leases.owners(2)).toEqual(["p1", null]);
  await leases.release(0, "p2");
  expect(await leases.owners(1)).toEqual(["p1"]);
  await leases.release(0, "p1");
  expect(await leases.acquire(0, "p2", 60_000)).toBe(true);
});

test("of many that ask at once one gets it", async () => {
  const leases = fresh();
  const got = await Promise.all(Array.from({ length: 20 }, (_, n) => leases.acquire(5, `p${n}`, 60_000)));
  expect(got.filter(Boolean)).toHaveLength(1);
});

test("a lease runs out, and renewing says what is still held", async () => {
  const leases = fresh();
  await leases.acquire(0, "p1", 30);
  await leases.acquire(1, "p1", 60_000);
  await leases.acquire(2, "p2", 60_000);
  await eventually(async () => (await leases.owners(1))[0] === null);
  expect(await leases.acquire(0, "p2", 60_000)).toBe(true);
  expect(await leases.renew([0, 1, 2, 3], "p1", 60_000)).toEqual([1]);
  expect(await leases.renew([], "p1", 60_000)).toEqual([]);
  expect(await leases.owners(4)).toEqual(["p2", "p1", "p2", null]);
});

test("members are those that joined and have not run out or left", async () => {
  const leases = fresh();
  await leases.join("p1", "127.0.0.1:8090", 60_000);
  await leases.join("p2", "127.0.0.1:8091", 30);
  await leases.join("p3", "[::1]:8092", 60_000);
  await leases.leave("p3");
  await eventually(async () => (await leases.members()).length === 1);
  expect(await leases.members()).toEqual([{ processId: "p1", address: "127.0.0.1:8090" }]);
});
