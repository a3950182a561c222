import { readPositions } from "@coupon/database";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApplierBench, feed } from "./support/applier-bench.ts";
import { expectBooks } from "./support/books.ts";
import { createRandom } from "./support/random.ts";
import { ShardStory } from "./support/shard-story.ts";
import { WrittenLog } from "./support/written-log.ts";

let bench: ApplierBench;
beforeEach(async () => {
  bench = await ApplierBench.create();
});
afterEach(() => bench.close());

describe("applying", () => {
  it("applies every kind of entry, and each once", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog().marker();
    const entries = [
      story.rules(),
      story.issue(["anna", "ben", "cleo", "dan", "eve"]),
      story.lock(0, "o1"),
      story.redeem(0, "o1"),
      story.redeem(1, "o2"),
      story.reverse(1, "o2", 200, 300, false),
      story.reverse(1, "o2", 300, 0, true),
      story.lock(2, "o3"),
      story.release(2, "o3"),
      story.release(3, "o4"),
      story.lock(3, "o5"),
      story.release(3, "o6"),
      story.releaseForAll(3, ["o8", "o9"]),
      story.deactivate(4),
      story.debit(10),
      story.credit(3),
      story.redeem(1, "o7"),
    ];
    for (const entry of entries) log.append(entry);
    const { applier } = bench.start();
    await feed(applier, log);
    await bench.applied(log);
    await expectBooks(bench.pool, [story]);
    await feed(applier, log);
    await applier.stop();
    await expectBooks(bench.pool, [story]);
  });

  it("passes over duplicates and what was written under another epoch", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog().marker();
    const first = story.rules();
    const second = story.issue(["anna"]);
    log.append(first).append(second).append(second).append(first);
    const zombie = new ShardStory(7, 0);
    zombie.rules();
    log
      .marker()
      .append(second, 0)
      .append(zombie.issue(["mallory"]), 0);
    log.append(story.issue(["ben"]));
    const { applier, halts } = bench.start();
    await feed(applier, log);
    await bench.applied(log);
    await expectBooks(bench.pool, [story]);
    expect(halts).toEqual([]);
    expect((await readPositions(bench.pool, [0]))[0]?.epoch).toBe(5);
  });

  it("goes on under a new owner with the numbers of the one before", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier } = bench.start();
    await feed(applier, log);
    await bench.applied(log);
    log.marker().append(story.issue(["ben"]));
    await applier.accept({ partition: 0, ...log.from(3) });
    await bench.applied(log);
    await expectBooks(bench.pool, [story]);
  });

  it("applies several partitions side by side, and a large log in many transactions", async () => {
    const random = createRandom(1);
    const stories = [0, 1, 2].map((shard) => new ShardStory(7, shard));
    const logs = stories.map((story) => {
      const log = new WrittenLog().marker();
      for (let n = 0; n < 400; n++) log.append(story.random(random));
      return log;
    });
    const watched = bench.start({ rowsMax: 100 });
    await Promise.all(logs.map((log, partition) => feed(watched.applier, log, partition)));
    await Promise.all(logs.map((log, partition) => bench.applied(log, partition)));
    await expectBooks(bench.pool, stories);
    expect(watched.transactions).toBeGreaterThan(20);
    expect(watched.failures).toEqual([]);
  });
});
