import { createHash } from "node:crypto";
import { type Entry, partitionOf } from "@coupon/domain";
import { readWholeLog } from "../../src/history/read-log.ts";
import type { World } from "./world.ts";

export type Snapshot = Map<string, { value: Buffer; ttlMs: number }>;

/** Everything that Redis has of this world's shards, or of those whose hash tag begins so. Leases stay out of it: they are for liveness alone. */
async function shardKeys({ parts: { redis }, prefix }: World, tag: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = (await redis.call("SCAN", cursor, "MATCH", `${prefix}${tag}*`, "COUNT", 1_000)) as [
      string,
      string[],
    ];
    keys.push(...found.filter((key) => !key.startsWith(`${prefix}{leases}`)));
    cursor = next;
  } while (cursor !== "0");
  return keys;
}

export async function snapshotShards(world: World, tag = "{"): Promise<Snapshot> {
  const { redis } = world.parts;
  const snapshot: Snapshot = new Map();
  for (const key of await shardKeys(world, tag)) {
    const [value, ttlMs] = await Promise.all([redis.dumpBuffer(key), redis.pttl(key)]);
    if (value !== null) snapshot.set(key, { value, ttlMs: Math.max(0, ttlMs) });
  }
  return snapshot;
}

/** Puts all of them back at one stroke, and removes what has come since the snapshot, but for what comes meanwhile. */
export async function restoreShards(world: World, snapshot: Snapshot, tag = "{"): Promise<void> {
  await putBack(world, snapshot, await shardKeys(world, tag));
}

/** As restoreShards for one shard that has got nothing new but entries: without a look for its keys, so faster. */
export async function loseOutbox(world: World, snapshot: Snapshot, tag: string): Promise<void> {
  await putBack(world, snapshot, [`${world.prefix}${tag}:o`, ...snapshot.keys()]);
}

async function putBack(world: World, snapshot: Snapshot, remove: readonly string[]): Promise<void> {
  const all = world.parts.redis.multi();
  for (const key of remove) all.del(key);
  for (const [key, { value, ttlMs }] of snapshot) all.restore(key, ttlMs, value, "REPLACE");
  const results = await all.exec();
  const failed = results?.find(([error]) => error !== null)?.[0];
  if (failed !== undefined) throw failed;
}

export function wipeShards(world: World): Promise<void> {
  return restoreShards(world, new Map());
}

/** Appends the shard's next entry as an owner of an older epoch would have written it. */
export async function forgeEntry(world: World, batch: number): Promise<void> {
  const partition = partitionOf(batch, 0, world.log.partitions);
  const log = await readWholeLog(world.log, `${world.prefix}.forger`);
  const last = log.findLast((message) => message.batch === batch && message.epoch !== null);
  const markers = log.filter((message) => message.partition === partition && message.marker !== null);
  const epoch = markers.at(-2)?.offset;
  if (last === undefined || epoch === undefined) throw new Error("there is nothing to follow");
  const { at } = JSON.parse(last.text) as Entry;
  const issued = log.flatMap((message) =>
    message.batch === batch && message.kind === "issue" ? (JSON.parse(message.text) as { items: unknown[] }).items : [],
  );
  const number = last.number + 1;
  const text = JSON.stringify({
    ...{ v: 1, batch, shard: 0, number, at, prev: createHash("sha1").update(last.text).digest("hex") },
    ...{ kind: "issue", day: 0, items: [[issued.length, "ghost", "shop", "0123456789abcdef", "c"]] },
  });
  const entries = [{ batch, shard: 0, number, kind: "issue" as const, text }];
  await world.parts.appender.append([{ partition, epoch, entries }], 5_000);
}
