import { partitionOf } from "@coupon/domain";
import { afterEach, expect, test } from "vitest";
import { countLog } from "../src/owner/count-log.ts";
import { LaterOwner, openShard } from "../src/owner/open-shard.ts";
import { openAll } from "./support/open-all.ts";
import { connectOwnerParts } from "./support/owner-parts.ts";
import { PARTITIONS, World } from "./support/world.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("an opening that is late leaves a shard to the owner who has opened it under a later marker", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const parts = await connectOwnerParts(world);
  closers.push(() => parts.close());
  const address = { batch: 1, shard: 0 };
  const partition = partitionOf(address.batch, address.shard, PARTITIONS);
  const marker = { v: 1, kind: "marker", owner: "late", at: Date.now() } as const;
  const late = await parts.appender.appendMarker(partition, marker, parts.appendTimeoutMs);
  const { shards } = await countLog(parts, partition, late, [address]);
  const later = await openAll(parts, partition, [address]);
  for (const counted of shards) await expect(openShard(parts.calls, late, counted)).rejects.toThrow(LaterOwner);
  expect(shards).toHaveLength(1);
  expect(await parts.calls.readHeaders([address])).toMatchObject([{ epoch: later.epoch }]);
});
