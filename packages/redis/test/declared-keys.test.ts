import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis, uniqueName } from "@coupon/testkit";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectRedis, createLeases, createOrderGuard, createShardReads, type RedisConnection } from "../src/index.ts";
import { toChunk } from "./support/image.ts";
import { claimOf, hashKey, lockOf, orderOf, rulesOf, ShardUnderTest } from "./support/shard.ts";

/** Commands of scripts that take no key. */
const KEYLESS = new Set(["TIME", "INFO"]);

let redis: RedisConnection;
let monitor: Redis;
let end: () => Promise<void>;

beforeAll(async () => {
  // A server of its own, for MONITOR shows everybody's commands.
  const directory = mkdtempSync(join(tmpdir(), "coupon-monitor-"));
  const server = await startRedis({ directory, ephemeral: true });
  redis = await connectRedis({ url: server.url, cluster: false });
  const client = new Redis(server.url);
  monitor = await client.monitor();
  end = async () => {
    monitor.disconnect();
    client.disconnect();
    await redis.close();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
});
afterAll(() => end());

test("scripts touch the keys that they declare, and no others", async () => {
  const undeclared: string[] = [];
  const seen = new Set<string>();
  // Redis shows a script first, then what it does.
  let declared = new Set<string>();
  const finished = new Promise<void>((resolve) => {
    monitor.on("monitor", (_time: string, args: string[], source: string) => {
      const [name = "", key = "", count = "0"] = [args[0]?.toUpperCase(), args[1], args[2]];
      if (source === "lua") {
        seen.add(name);
        if (!KEYLESS.has(name) && !declared.has(key)) undeclared.push(`${name} ${key}`);
        return;
      }
      declared = new Set(name.startsWith("EVAL") ? args.slice(3, 3 + Number(count)) : []);
      if (name === "ECHO") resolve();
    });
  });
  await everything();
  await redis.echo("finished");
  await finished;
  expect(undeclared).toEqual([]);
  // That something was looked at at all.
  for (const name of [
    "HSETNX",
    "HGET",
    "APPEND",
    "GETRANGE",
    "BITFIELD",
    "BITFIELD_RO",
    "RPUSH",
    "LTRIM",
    "UNLINK",
    "PEXPIRE",
  ]) {
    expect(seen).toContain(name);
  }
});

/** Runs every script there is, through each of its branches that touches keys. */
async function everything(): Promise<void> {
  const shard = await ShardUnderTest.open(redis, { perUser: 3 });
  await shard.claim([claimOf("ann"), claimOf("bob"), claimOf("cid")], [0]);
  await shard.step(2_000);
  shard.durable = 1;
  await shard.claim([claimOf("ann"), claimOf("ann", "2")], [0]);
  await shard.lock();
  await shard.redeem();
  await shard.reverse({ recordVersion: await shard.version() });
  await shard.did(shard.calls.lock(shard.at, shard.expect, [lockOf({ serial: 1 }), lockOf({ serial: 2 })]));
  await shard.release({ serial: 1 });
  await shard.step(90_000_000);
  await shard.release({ serial: 1, orderId: "o9" });
  await shard.redeem({ serial: 1, orderId: "o3", order: orderOf() });
  await shard.deactivate(2);
  await shard.deactivate(3);
  const [record] = await shard.calls.readRecords(shard.at, [0, 3]);
  await shard.cool(0);
  if (record) await shard.did(shard.calls.warm(shard.at, shard.expect, [{ serial: 0, record: record.record }]));
  await shard.did(shard.calls.debit(shard.at, shard.expect, { target: 1, amount: 1, credited: 0 }));
  await shard.did(shard.calls.credit(shard.at, shard.expect, 2, 1, 1));
  const about = { reason: "r", proposedBy: "ann", approvedBy: "bob" };
  const correction = { correctionId: "cor_1", stores: ["redis" as const], serials: [0], ...about };
  await shard.did(shard.calls.correct(shard.at, shard.expect, correction));
  const reads = createShardReads({ redis, prefix: shard.prefix, hashKey });
  await reads.slots(shard.at, 0, 2, () => {});
  await reads.pages(shard.at, 0, 2);
  await reads.coupons(shard.at, [0, 1, 2, 3]);
  const [header] = await shard.calls.readHeaders([shard.at]);
  if (header) await shard.calls.open(shard.at, header, 2);
  const other = await ShardUnderTest.open(redis);
  for (const [offset, text] of shard.log.entries()) await other.calls.redo(other.at, 1, text, offset);
  await other.calls.drop(other.at);
  const image = {
    number: 1,
    hash: "",
    atMs: 1,
    nextSerial: 2,
    left: 1,
    dayStartMs: 0,
    dayIssued: 1,
    rules: rulesOf(),
    debits: [],
    credits: [],
    corrections: [],
  };
  const coupon = { userId: "ann", keyHash: "00000000000000aa", issuedAtSeconds: 1 };
  const coupons = async function* () {
    yield toChunk([
      { ...coupon, serial: 0, touched: "no" },
      { ...coupon, serial: 1, touched: "redeemed" },
    ]);
  };
  await other.calls.load(other.at, image, coupons(), 1);
  const leases = createLeases({ redis, prefix: uniqueName("t") });
  await leases.join("p", "a", 1_000);
  await leases.acquire(0, "p", 1_000);
  await leases.renew([0], "p", 1_000);
  await leases.owners(1);
  await leases.members();
  await leases.release(0, "p");
  await leases.leave("p");
  const orders = createOrderGuard({ redis, prefix: uniqueName("t") });
  await orders.restore(async function* () {
    yield [{ order: "o", coupons: ["a"], keptMs: 1_000 }];
  });
  await orders.claim("o", ["a"], 1_000);
  const { untilMs } = await orders.claim("o", ["a"], 1_000);
  await orders.giveBack("o", ["a"], untilMs);
  await orders.forget("o", ["a"]);
}
