import { kafkaIsReady, probePostgres, probeRedis } from "@coupon/stack";
import { expect, test } from "vitest";

test("the run's parts answer at the addresses that workers find in their environment", async () => {
  const { REDIS_URL = "", KAFKA_BROKERS = "", DATABASE_URL = "" } = process.env;
  expect(await probeRedis(new URL(REDIS_URL))).toBe("ready");
  expect(await kafkaIsReady(KAFKA_BROKERS)).toBe(true);
  expect(await probePostgres(new URL(DATABASE_URL))).toBe("ready");
});
