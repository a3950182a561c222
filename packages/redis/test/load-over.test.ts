import { afterAll, beforeAll, expect, test } from "vitest";
import type { ImageCoupons, RedisConnection, ShardImage } from "../src/index.ts";
import { dump } from "./support/dump.ts";
import { toChunk } from "./support/image.ts";
import { connect, rulesOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const image: ShardImage = {
  ...{ number: 2, hash: "ab".repeat(20), atMs: 1_800_000_000_000, nextSerial: 1, left: 9 },
  ...{ dayStartMs: 0, dayIssued: 0, rules: rulesOf(), debits: [], credits: [], corrections: [] },
};

async function* coupons(): AsyncGenerator<ImageCoupons> {
  yield toChunk([{ serial: 0, userId: "ann", keyHash: "00".repeat(8), issuedAtSeconds: 1_800_000_000, touched: "no" }]);
}

test("a load over a shard leaves nothing of it, its header's correction and transfers included", async () => {
  const shard = await ShardUnderTest.open(redis, { perUser: 3 });
  await shard.issue("ann", "bob", "cid");
  const correction = { correctionId: "cor_1", stores: ["redis" as const], serials: [1], reason: "a slot was lost" };
  await shard.did(shard.calls.correct(shard.at, shard.expect, { ...correction, proposedBy: "ann", approvedBy: "bob" }));
  await shard.did(shard.calls.debit(shard.at, shard.expect, { target: 1, amount: 2, credited: 0 }));
  await shard.calls.load(shard.at, image, coupons(), 3);
  const fresh = new ShardUnderTest(redis);
  await fresh.calls.load(fresh.at, image, coupons(), 3);
  expect(await dump(redis, shard.prefix)).toEqual(await dump(redis, fresh.prefix));
});
