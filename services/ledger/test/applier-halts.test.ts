import { eventually } from "@coupon/testkit";
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

describe("halting", () => {
  it("stops behind the last good entry where numbers are skipped", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const good = structuredClone(story.coupons);
    story.issue(["lost"]);
    log.append(story.issue(["ben"]));
    const { applier, halts } = bench.start();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([
      { reason: "gap", detail: expect.stringContaining("entry 4 of shard 7.0 at offset 3") },
    ]);
    await eventually(async () => (await bench.position()) === 3);
    const { rows } = await bench.pool.query("SELECT user_id FROM ledger.coupon");
    expect(rows).toEqual(good.map(({ userId }) => ({ user_id: userId })));
    await applier.accept({ partition: 0, ...log.marker().from(4) });
    await applier.stop();
    expect(await bench.position()).toBe(3);
  });

  it("stops where offsets are missing, and skips none", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier, halts } = bench.start();
    await applier.positionOf(0);
    await applier.accept({ partition: 0, ...log.from(1) });
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "gap" }]);
    expect(await bench.position()).toBe(0);
  });

  it("stops where an entry does not follow from the one before", async () => {
    const story = new ShardStory(7, 0);
    const other = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    other.rules();
    other.issue(["mallory"]);
    log.append(other.issue(["ben"]));
    const { applier, halts } = bench.start();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "diverged" }]);
    await eventually(async () => (await bench.position()) === 3);
  });

  const broken: [string, (text: string) => string][] = [
    ["that is not JSON", (text) => text.slice(1)],
    ["of another shard than its headers say", (text) => text.replace('"shard":0', '"shard":1')],
    ["of a kind that nobody knows", (text) => text.replace('"kind":"issue"', '"kind":"gift"')],
    ["with a key hash that is none", (text) => text.replace("0000000000000000", "000000000000000g")],
    ["with a serial that is no number", (text) => text.replace('"items":[[0', '"items":[["x"')],
    ["without items", (text) => text.replace(/"items".*\]/, '"items":null')],
  ];
  it.each(broken)("stops at an entry %s, with all before it applied", async (_, spoil) => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog().marker().append(story.rules());
    const entry = story.issue(["anna"]);
    log.append({ ...entry, text: spoil(entry.text) }).append(story.issue(["ben"]));
    const { applier, halts } = bench.start();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "unreadable" }]);
    await eventually(async () => (await bench.position()) === 2);
    await applier.stop();
    expect((await bench.pool.query("SELECT 1 FROM ledger.coupon")).rowCount).toBe(0);
  });

  it("stops at an entry that PostgreSQL does not take, while other partitions go on", async () => {
    const other = new ShardStory(7, 1);
    const otherLog = new WrittenLog().marker();
    const random = createRandom(2);
    for (let n = 0; n < 50; n++) otherLog.append(other.random(random));
    const { applier, halts } = bench.start();
    const doubled = new ShardStory(7, 0);
    const doubledLog = new WrittenLog().marker();
    doubledLog.append(doubled.rules()).append(doubled.issue(["anna"]));
    doubledLog.append(doubled.entry({ kind: "issue", day: 0, items: [[0, "ben", "shop", "0".repeat(16), "c"]] }));
    doubledLog.append(doubled.issue(["cleo"]));
    await Promise.all([feed(applier, doubledLog, 0), feed(applier, otherLog, 1)]);
    await bench.applied(otherLog, 1);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "refused", detail: expect.stringContaining("offset 3") }]);
    expect(await bench.position()).toBe(3);
    await expectBooks(bench.pool, [other]);
    expect((await bench.pool.query("SELECT user_id FROM ledger.coupon WHERE shard = 0")).rows).toEqual([
      { user_id: "anna" },
    ]);
  });

  it("takes a partition up again when it is assigned again", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier, halts } = bench.start();
    await applier.positionOf(0);
    await applier.accept({ partition: 0, ...log.from(1) });
    await eventually(() => halts.length > 0);
    await feed(applier, log);
    await bench.applied(log);
    await expectBooks(bench.pool, [story]);
  });
});
