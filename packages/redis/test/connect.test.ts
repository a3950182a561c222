import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFaultProxy, eventually, type FaultProxy, freePorts, startRedis, uniqueName } from "@coupon/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  connectRedis,
  createOrderGuard,
  createShardCalls,
  type RedisConnection,
  RedisUnavailable,
  type ShardCalls,
  whenReady,
} from "../src/index.ts";
import { applied, claimOf, connect, hashKey, rulesOf, ShardUnderTest } from "./support/shard.ts";

const at = { batch: 1, shard: 0 };
const fresh = { epoch: 1, hash: "", durable: 0, durableOffset: -1 };

describe("a wire that fails", () => {
  let proxy: FaultProxy;
  let redis: RedisConnection;
  let direct: RedisConnection;
  let calls: ShardCalls;
  let prefix: string;
  let expectation: typeof fresh;

  beforeEach(async () => {
    direct = await connect();
    const { hostname, port } = new URL(process.env.REDIS_URL ?? "");
    proxy = await createFaultProxy({ host: hostname, port: Number(port) });
    redis = await connectRedis({ url: `redis://127.0.0.1:${proxy.port}`, cluster: false, commandTimeoutMs: 2_000 });
    prefix = uniqueName("t");
    calls = createShardCalls({ redis, prefix, hashKey });
    await calls.open(at, null, 1);
    const { hash } = applied(await calls.changeRules(at, fresh, rulesOf({ perUser: 9 })));
    expectation = { ...fresh, hash };
    // So that Redis has the script, this process the number of buckets, and a claim is one command.
    await calls.claim(at, expectation, [], [claimOf("ann", "k", { permitted: false })]);
  });
  afterEach(async () => {
    await redis.close();
    await direct.close();
    await proxy.close();
  });

  test("cut while a claim is away: it fails at once, is not sent again by itself, and a second one is refused", async () => {
    proxy.dropReplies(true);
    const claim = calls.claim(at, expectation, [], [claimOf("ann")]);
    const failed = expect(claim).rejects.toThrow(RedisUnavailable);
    await eventually(async () => (await direct.llen(`${prefix}{1.0}:o`)) === 2);
    proxy.dropReplies(false);
    proxy.cutAll();
    await failed;
    await whenReady(redis, 5_000);
    const again = await calls.claim(at, expectation, [], [claimOf("ann")]);
    expect(again).toEqual({ kind: "mismatch", found: { epoch: 1, number: 2 } });
    expect(await calls.readOutbox(at)).toHaveLength(2);
  });

  test("nothing comes back: the call gives up in time", async () => {
    proxy.pause();
    await expect(calls.claim(at, expectation, [], [claimOf("ann")])).rejects.toThrow(RedisUnavailable);
    proxy.resume();
    await eventually(async () => (await calls.readHeaders([at]).catch(() => [null]))[0] !== null);
  });

  test("away: every call fails at once, and works once it is back", async () => {
    proxy.refuse(true);
    proxy.cutAll();
    await eventually(() => redis.status !== "ready");
    await expect(calls.readHeaders([at])).rejects.toThrow(RedisUnavailable);
    await expect(calls.readOutbox(at)).rejects.toThrow(RedisUnavailable);
    await expect(calls.drop(at)).rejects.toThrow(RedisUnavailable);
    const orders = createOrderGuard({ redis, prefix: "t" });
    expect((await orders.claim("o", ["a"], 1)).outcome).toBe("unavailable");
    await orders.forget("o", ["a"]);
    proxy.refuse(false);
    await whenReady(redis, 5_000);
    expect(await calls.readHeaders([at])).toMatchObject([{ number: 1 }]);
  });
});

test("Redis is away at the start: connecting neither throws nor hangs, and says once that it is", async () => {
  const [port = 0] = await freePorts(1);
  const warnings: string[] = [];
  const logger = { warn: (_fields: object, message: string) => void warnings.push(message) };
  const redis = await connectRedis({ url: `redis://127.0.0.1:${port}`, cluster: false, connectTimeoutMs: 200, logger });
  await expect(whenReady(redis, 100)).rejects.toThrow(RedisUnavailable);
  await expect(createShardCalls({ redis, prefix: "t", hashKey }).readHeaders([at])).rejects.toThrow(RedisUnavailable);
  const directory = mkdtempSync(join(tmpdir(), "coupon-late-"));
  const server = await startRedis({ directory, ephemeral: true, port });
  await whenReady(redis, 5_000);
  await eventually(() => warnings.length === 2);
  expect(warnings).toEqual(["Redis can't be reached", "Redis is back"]);
  await redis.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("memory is full: a claim is refused whole, and nothing of it is written", async () => {
  const directory = mkdtempSync(join(tmpdir(), "coupon-full-"));
  const server = await startRedis({ directory, ephemeral: true });
  const redis = await connectRedis({ url: server.url, cluster: false });
  const shard = await ShardUnderTest.open(redis, {});
  await shard.issue("ann");
  await redis.config("SET", "maxmemory", "1");
  shard.durable = 2;
  await expect(shard.issue("bob")).rejects.toThrow(RedisUnavailable);
  expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ number: 2, nextSerial: 1, durable: 0 }]);
  await redis.config("SET", "maxmemory", "0");
  await shard.issue("bob");
  await redis.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("an error of a script is no unavailability", async () => {
  const redis = await connect();
  const shard = await ShardUnderTest.open(redis, {});
  await redis.set(`${shard.prefix}{7.3}:t`, "x");
  await redis.del(`${shard.prefix}{7.3}:h`);
  await redis.set(`${shard.prefix}{7.3}:h`, "not a hash");
  const failed = shard.calls.readHeaders([shard.at]);
  await expect(failed).rejects.toThrow("WRONGTYPE");
  await expect(failed).rejects.not.toThrow(RedisUnavailable);
  await redis.close();
});

test("a hash key that is too short is refused", async () => {
  const redis = await connect();
  expect(() => createShardCalls({ redis, prefix: "t", hashKey: Buffer.alloc(8) })).toThrow(RangeError);
  await redis.close();
  await redis.close();
});
