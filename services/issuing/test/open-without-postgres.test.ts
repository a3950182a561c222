import { partitionOf, type ShardRules } from "@coupon/domain";
import type { ShardAddress } from "@coupon/redis";
import { createFaultProxy, eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import { Batches } from "../src/front/batches.ts";
import { OpeningDisturbed } from "../src/owner/open-shard.ts";
import { openAll } from "./support/open-all.ts";
import { connectOwnerParts, type OwnerParts } from "./support/owner-parts.ts";
import { crowdAt, startOwner, watch } from "./support/start-owner.ts";
import { PARTITIONS, World } from "./support/world.ts";

/**
 * While PostgreSQL is away an opening begins where a header says, and that header is good for nothing but the shard
 * that it describes (guard `base_header` of docs/recovery.md). Log and Redis are real; the test plays the owner.
 */
const address: ShardAddress = { batch: 1, shard: 0 };
const partition = partitionOf(address.batch, address.shard, PARTITIONS);
const nobodyListens = "postgres://coupon:coupon@127.0.0.1:9/coupon";
const rules: ShardRules = {
  version: 1,
  state: "issuing",
  revoked: false,
  fromMs: 0,
  untilMs: 4_000_000_000_000,
  allotment: 10,
  perDay: null,
  perUser: 1,
  perUserPerDay: null,
  buckets: 1,
};

type Opened = Awaited<ReturnType<typeof openAll>>;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A shard whose entries 1 (rules) and 2 (a coupon) count, opened once more since, whose header has 0 as durable. */
async function issuedOne(): Promise<{ parts: OwnerParts; before: Map<string, Buffer>; opened: Opened }> {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const before = await connectOwnerParts(world);
  closers.push(() => before.close());
  const first = await openAll(before, partition, [address]);
  const parts = await connectOwnerParts(world, nobodyListens);
  closers.push(() => parts.close());
  const { epoch } = first;
  const expected = { epoch, hash: "", durable: 0, durableOffset: -1 };
  const changed = await parts.calls.changeRules(address, expected, rules);
  if (changed.kind === "mismatch") throw new Error("the opened shard is not as it was opened");
  await send(parts, epoch, "rules", changed);
  const copied = await copyShard(parts, world);
  const claim = { userId: "ann", callerId: "shop", key: "k", via: "c" as const, permitted: true };
  const issued = await parts.calls.claim(address, { ...expected, hash: changed.hash }, [0], [claim]);
  expect(issued).toMatchObject({ kind: "applied", outcomes: [{ kind: "issued", serial: 0 }] });
  await send(parts, epoch, "issue", issued);
  const opened = await openAll(parts, partition, [address]);
  expect(opened.shards).toMatchObject([{ number: 2, rebuild: false }]);
  expect(await parts.calls.readHeaders([address])).toMatchObject([{ epoch: opened.epoch, number: 2, durable: 0 }]);
  return { parts, before: copied, opened };
}

async function send(
  { appender, appendTimeoutMs }: OwnerParts,
  epoch: number,
  kind: "rules" | "issue",
  applied: { kind: string; number?: number; entry?: string | null },
): Promise<void> {
  const entry = { ...address, number: applied.number ?? 0, kind, text: applied.entry ?? "" };
  await appender.append([{ partition, epoch, entries: [entry] }], appendTimeoutMs);
}

async function copyShard({ redis }: OwnerParts, world: World): Promise<Map<string, Buffer>> {
  const keys = await redis.keys(`${world.prefix}{${address.batch}.${address.shard}}:*`);
  return new Map(await Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)] as const)));
}

/** Opens once more; `disturb` happens between the header that says where to read from and the look at the shard. */
function openDisturbed(parts: OwnerParts, disturb: () => Promise<unknown>): Promise<Opened> {
  const { recovery } = parts;
  const logBase: typeof recovery.logBase = async (...asked) => {
    const base = await recovery.logBase(...asked);
    await disturb();
    return base;
  };
  return openAll({ ...parts, recovery: { ...recovery, logBase } }, partition, [address]);
}

test("Redis wiped after its header was read: no fresh shard, then or later", async () => {
  const { parts } = await issuedOne();
  const opening = openDisturbed(parts, () => parts.calls.drop(address));
  await expect(opening).rejects.toThrow(OpeningDisturbed);
  // Now there is no header to go by either, and it waits for PostgreSQL.
  expect((await openAll(parts, partition, [address])).shards).toEqual([]);
});

test("Redis gone back to an older marker after its header was read: not taken for the shard at that number", async () => {
  const { parts, before } = await issuedOne();
  const goBack = async () => {
    await parts.calls.drop(address);
    for (const [key, dumped] of before) await parts.redis.restore(key, 0, dumped);
  };
  await expect(openDisturbed(parts, goBack)).rejects.toThrow(OpeningDisturbed);
  expect((await openAll(parts, partition, [address])).shards).toMatchObject([{ number: 2, rebuild: false }]);
  expect(await parts.calls.readHeaders([address])).toMatchObject([{ number: 2, nextSerial: 1 }]);
});

test("PostgreSQL says nothing: an opening goes by the headers", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const real = new URL(world.env.DATABASE_URL ?? "");
  const proxy = await createFaultProxy({ port: Number(real.port) });
  closers.push(() => proxy.close());
  real.port = String(proxy.port);
  const parts = await connectOwnerParts(world, real.href, 600_000);
  closers.push(() => parts.close());
  await openAll(parts, partition, [address]);
  proxy.pause();
  closers.push(async () => proxy.heal());
  expect((await openAll(parts, partition, [address])).shards).toMatchObject([{ number: 0, rebuild: false }]);
}, 20_000);

test("a shard that Redis lost while PostgreSQL is away keeps no other of its partition waiting", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const before = await connectOwnerParts(world);
  closers.push(() => before.close());
  const batches = new Batches();
  const published: number[] = [];
  while (published.length < 2) {
    const definition = await world.publishBatch({ stock: { total: 100, perUser: 1 } });
    const { batchNumber } = definition;
    if (published.length === 1 && partitionIn(batchNumber) !== partitionIn(published[0] ?? 0)) continue;
    batches.put(definition);
    published.push(batchNumber);
  }
  const [lost = 0, kept = 0] = published;
  const first = startOwner(before, before.appender, batches, watch());
  await eventually(async () => (await crowdAt(first, lost, 0)(1))[0]?.kind === "done");
  await eventually(async () => (await crowdAt(first, kept, 0)(1))[0]?.kind === "done");
  await first.close();
  await before.calls.drop({ batch: lost, shard: 0 });

  const parts = await connectOwnerParts(world, nobodyListens);
  closers.push(() => parts.close());
  const owner = startOwner(parts, parts.appender, batches, watch());
  closers.push(() => owner.close());
  await eventually(async () => (await crowdAt(owner, kept, 0)(2))[1]?.kind === "done");
  // It has no entry in what was read, and is no new one all the same.
  expect(await crowdAt(owner, lost, 0)(1)).toEqual([{ kind: "recovering" }]);
  expect(owner.shardsWaiting()).toEqual({ waiting: 1, rebuilding: 0 });
  expect(await crowdAt(owner, lost, 0)(1)).toEqual([{ kind: "recovering" }]);
});

test("a batch that an owner had read serves its first claim while PostgreSQL is away; a newer one waits for it", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const before = await connectOwnerParts(world);
  closers.push(() => before.close());
  const batches = new Batches();
  const read = await world.publishBatch({ stock: { total: 100, perUser: 1 } });
  batches.put(read);
  const first = startOwner(before, before.appender, batches, watch());
  await eventually(async () => (await before.calls.readHeaders([{ batch: read.batchNumber, shard: 0 }]))[0] !== null);
  await first.close();

  const server = new URL(world.env.DATABASE_URL ?? "");
  const proxy = await createFaultProxy({ host: server.hostname, port: Number(server.port) });
  closers.push(() => proxy.close());
  proxy.refuse(true);
  server.host = `${proxy.host}:${proxy.port}`;
  const parts = await connectOwnerParts(world, server.href);
  closers.push(() => parts.close());
  const owner = startOwner(parts, parts.appender, batches, watch());
  closers.push(() => owner.close());
  await eventually(async () => (await crowdAt(owner, read.batchNumber, 0)(1))[0]?.kind === "done");

  let newer = await world.publishBatch({ stock: { total: 100, perUser: 1 } });
  while (partitionIn(newer.batchNumber) !== partitionIn(read.batchNumber)) newer = await world.publishBatch({});
  batches.put(newer);
  owner.batchChanged(newer.batchNumber);
  const claim = crowdAt(owner, newer.batchNumber, 0);
  expect(await claim(1)).toEqual([{ kind: "recovering" }]);
  expect((await crowdAt(owner, read.batchNumber, 0)(2))[1]?.kind).toBe("done");
  proxy.heal();
  await eventually(async () => (await claim(1))[0]?.kind === "done");
});

test("a shard whose floor lies below what was read from is counted again, and opened", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const parts = await connectOwnerParts(world);
  closers.push(() => parts.close());
  const definition = await world.publishBatch({ stock: { total: 100, perUser: 1 } });
  const batches = new Batches();
  batches.put(definition);
  const batch = definition.batchNumber;
  const first = startOwner(parts, parts.appender, batches, watch());
  await eventually(async () => (await crowdAt(first, batch, 0)(1))[0]?.kind === "done");
  await first.close();

  const [header] = await parts.calls.readHeaders([{ batch, shard: 0 }]);
  let bases = 0;
  const logBase: typeof parts.recovery.logBase = async (id, known) => {
    if (id !== partitionIn(batch)) return parts.recovery.logBase(id, known);
    bases += 1;
    if (bases > 1) return parts.recovery.logBase(id, known);
    const epoch = header?.epoch ?? 0;
    // Its first entry, which stands right after the marker, is left out.
    const shards = [{ address: { batch, shard: 0 }, number: 0, hash: null, floorOf: epoch }];
    return { position: epoch + 2, epoch, isWhole: false, uncounted: [], shards };
  };
  const owner = startOwner({ ...parts, recovery: { ...parts.recovery, logBase } }, parts.appender, batches, watch());
  closers.push(() => owner.close());
  await eventually(async () => (await crowdAt(owner, batch, 0)(2))[1]?.kind === "done");
  expect(bases).toBeGreaterThan(1);
});

function partitionIn(batch: number): number {
  return partitionOf(batch, 0, PARTITIONS);
}
