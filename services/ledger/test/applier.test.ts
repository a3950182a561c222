import { createPool, ledgerSettings, type Pool, readPositions } from "@coupon/database";
import { createTestDatabase, type TestDatabase } from "@coupon/database/testing";
import { createFaultProxy, eventually } from "@coupon/testkit";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Applier, isOvertaken } from "../src/applying/applier.ts";
import type { Halt, Lane } from "../src/applying/lane.ts";
import { TermsBook } from "../src/posting/terms.ts";
import { expectBooks } from "./support/books.ts";
import { createRandom } from "./support/random.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf } from "./support/world.ts";
import { WrittenLog } from "./support/written-log.ts";

let database: TestDatabase;
let pool: Pool;
const running: Applier[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = poolOf(database.databaseUrl);
});

afterEach(async () => {
  for (const applier of running.splice(0)) await applier.stop();
  await pool.end();
  await database.drop();
});

function poolOf(databaseUrl: string): Pool {
  return createPool({
    databaseUrl,
    max: 4,
    statementTimeoutMs: 5_000,
    connectionTimeoutMs: 2_000,
    settings: ledgerSettings,
  });
}

interface Watched {
  applier: Applier;
  halts: Halt[];
  failures: unknown[];
  transactions: number;
  lost: Lane[];
}

/** Knows the terms of whatever batch is asked for. */
class AnyTerms extends TermsBook {
  override of(batch: number) {
    this.put(batchOf(batch));
    return super.of(batch);
  }
}

function startApplier(options: { rowsMax?: number; pool?: Pool; terms?: TermsBook } = {}): Watched {
  const watched: Omit<Watched, "applier"> = { halts: [], failures: [], transactions: 0, lost: [] };
  const applier = new Applier({
    pool: options.pool ?? pool,
    transactionsMax: 3,
    rowsMax: options.rowsMax ?? 1_000,
    bytesMax: 1024 * 1024,
    gatherMs: 0,
    restMs: { least: 0, greatest: 0 },
    terms: options.terms ?? new AnyTerms(),
    termsWaitMs: 200,
    observer: {
      committed: () => {
        watched.transactions += 1;
      },
      failed: (error) => watched.failures.push(error),
      halted: (lane) => lane.halt !== null && watched.halts.push(lane.halt),
      lost: (lane) => watched.lost.push(lane),
    },
  });
  applier.start();
  running.push(applier);
  return Object.assign(watched, { applier });
}

async function position(partition = 0): Promise<number> {
  return (await readPositions(pool, [partition]))[0]?.position ?? 0;
}

/** Hands a whole log over, from where PostgreSQL stands. */
async function feed(applier: Applier, log: WrittenLog, partition = 0): Promise<void> {
  const from = await applier.positionOf(partition);
  await applier.accept({ partition, ...log.from(from) });
}

const patient = { timeoutMs: 40_000 };
const applied = (log: WrittenLog, partition = 0) =>
  eventually(async () => (await position(partition)) === log.end, patient);

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
    const { applier } = startApplier();
    await feed(applier, log);
    await applied(log);
    await expectBooks(pool, [story]);
    await feed(applier, log);
    await applier.stop();
    await expectBooks(pool, [story]);
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
    const { applier, halts } = startApplier();
    await feed(applier, log);
    await applied(log);
    await expectBooks(pool, [story]);
    expect(halts).toEqual([]);
    expect((await readPositions(pool, [0]))[0]?.epoch).toBe(5);
  });

  it("goes on under a new owner with the numbers of the one before", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier } = startApplier();
    await feed(applier, log);
    await applied(log);
    log.marker().append(story.issue(["ben"]));
    await applier.accept({ partition: 0, ...log.from(3) });
    await applied(log);
    await expectBooks(pool, [story]);
  });

  it("applies several partitions side by side, and a large log in many transactions", async () => {
    const random = createRandom(1);
    const stories = [0, 1, 2].map((shard) => new ShardStory(7, shard));
    const logs = stories.map((story) => {
      const log = new WrittenLog().marker();
      for (let n = 0; n < 400; n++) log.append(story.random(random));
      return log;
    });
    const watched = startApplier({ rowsMax: 100 });
    await Promise.all(logs.map((log, partition) => feed(watched.applier, log, partition)));
    await Promise.all(logs.map((log, partition) => applied(log, partition)));
    await expectBooks(pool, stories);
    expect(watched.transactions).toBeGreaterThan(20);
    expect(watched.failures).toEqual([]);
  });
});

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
    const { applier, halts } = startApplier();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([
      { reason: "gap", detail: expect.stringContaining("entry 4 of shard 7.0 at offset 3") },
    ]);
    await eventually(async () => (await position()) === 3);
    const { rows } = await pool.query("SELECT user_id FROM ledger.coupon");
    expect(rows).toEqual(good.map(({ userId }) => ({ user_id: userId })));
    await applier.accept({ partition: 0, ...log.marker().from(4) });
    await applier.stop();
    expect(await position()).toBe(3);
  });

  it("stops where offsets are missing, and skips none", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier, halts } = startApplier();
    await applier.positionOf(0);
    await applier.accept({ partition: 0, ...log.from(1) });
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "gap" }]);
    expect(await position()).toBe(0);
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
    const { applier, halts } = startApplier();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "diverged" }]);
    await eventually(async () => (await position()) === 3);
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
    const { applier, halts } = startApplier();
    await feed(applier, log);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "unreadable" }]);
    await eventually(async () => (await position()) === 2);
    await applier.stop();
    expect((await pool.query("SELECT 1 FROM ledger.coupon")).rowCount).toBe(0);
  });

  it("stops at an entry that PostgreSQL does not take, while other partitions go on", async () => {
    const other = new ShardStory(7, 1);
    const otherLog = new WrittenLog().marker();
    const random = createRandom(2);
    for (let n = 0; n < 50; n++) otherLog.append(other.random(random));
    const { applier, halts } = startApplier();
    const doubled = new ShardStory(7, 0);
    const doubledLog = new WrittenLog().marker();
    doubledLog.append(doubled.rules()).append(doubled.issue(["anna"]));
    doubledLog.append(doubled.entry({ kind: "issue", day: 0, items: [[0, "ben", "shop", "0".repeat(16), "c"]] }));
    doubledLog.append(doubled.issue(["cleo"]));
    await Promise.all([feed(applier, doubledLog, 0), feed(applier, otherLog, 1)]);
    await applied(otherLog, 1);
    await eventually(() => halts.length > 0);
    expect(halts).toMatchObject([{ reason: "refused", detail: expect.stringContaining("offset 3") }]);
    expect(await position()).toBe(3);
    await expectBooks(pool, [other]);
    expect((await pool.query("SELECT user_id FROM ledger.coupon WHERE shard = 0")).rows).toEqual([{ user_id: "anna" }]);
  });

  it("takes a partition up again when it is assigned again", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog()
      .marker()
      .append(story.rules())
      .append(story.issue(["anna"]));
    const { applier, halts } = startApplier();
    await applier.positionOf(0);
    await applier.accept({ partition: 0, ...log.from(1) });
    await eventually(() => halts.length > 0);
    await feed(applier, log);
    await applied(log);
    await expectBooks(pool, [story]);
  });
});

describe("several ledgers at once", () => {
  it("apply every entry once between them, whatever each was given", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = createRandom(seed);
        const batch = 1 + random.below(1_000_000);
        const stories = [0, 1].map((shard) => new ShardStory(batch, shard));
        const partitions = stories.map((_, index) => (batch % 1_000) + index);
        const logs = stories.map((story) => {
          const log = new WrittenLog().marker();
          for (let n = 0; n < 60; n++) {
            if (random.chance(0.05)) log.marker();
            const entry = story.random(random);
            log.append(entry);
            if (random.chance(0.1)) log.append(entry);
            if (random.chance(0.1)) log.append(entry, log.epoch - 1);
          }
          return log;
        });
        await pool.query("DELETE FROM ledger.partition_position");
        const ledgers = [startApplier({ rowsMax: 20 }), startApplier({ rowsMax: 35 })];
        await Promise.all(
          ledgers.flatMap(({ applier }) =>
            logs.map(async (log, index) => {
              const partition = partitions[index] as number;
              let from = await applier.positionOf(partition);
              while (from < log.end) {
                const to = Math.min(log.end, from + 1 + random.below(30));
                await applier.accept({ partition, ...log.from(from, to) });
                from = to;
                if (random.chance(0.1)) from = await applier.positionOf(partition);
              }
            }),
          ),
        );
        for (const [index, log] of logs.entries()) await applied(log, partitions[index]);
        await expectBooks(pool, stories);
        expect(ledgers.flatMap((ledger) => ledger.halts)).toEqual([]);
        for (const failure of ledgers.flatMap((ledger) => ledger.failures)) expect(isOvertaken(failure)).toBe(true);
        for (const { applier } of ledgers) await applier.stop();
      }),
      { numRuns: 15 },
    );
  });
});

describe("while PostgreSQL comes and goes", () => {
  it("loses nothing and doubles nothing when connections are cut at any byte", async () => {
    const { hostname, port } = new URL(database.databaseUrl);
    const proxy = await createFaultProxy({ host: hostname, port: Number(port) });
    const url = new URL(database.databaseUrl);
    url.port = String(proxy.port);
    const throughProxy = poolOf(url.href);
    try {
      const random = createRandom(11);
      const stories = [0, 1].map((shard) => new ShardStory(9, shard));
      const logs = stories.map((story) => {
        const log = new WrittenLog().marker();
        for (let n = 0; n < 300; n++) log.append(story.random(random));
        return log;
      });
      const watched = startApplier({ rowsMax: 50, pool: throughProxy });
      let ended = false;
      const end = Promise.withResolvers<void>();
      const cutting = (async () => {
        while (!ended) {
          const direction = random.chance(0.5) ? "up" : "down";
          await Promise.race([proxy.cutAfterBytes(1 + random.below(30_000), direction), end.promise]);
        }
      })();
      for (const [partition, log] of logs.entries()) {
        const { from } = await eventually(async () => ({ from: await watched.applier.positionOf(partition) }), patient);
        for (let at = from; at < log.end; at += 40) {
          await watched.applier.accept({ partition, ...log.from(at, Math.min(log.end, at + 40)) });
        }
      }
      await Promise.all(logs.map((log, partition) => applied(log, partition)));
      ended = true;
      end.resolve();
      await cutting;
      await expectBooks(pool, stories);
      expect(watched.failures.length).toBeGreaterThan(3);
      expect(watched.halts).toEqual([]);
      await watched.applier.stop();
    } finally {
      await throughProxy.end();
      await proxy.close();
    }
  });

  it("asks for the log to be read again where PostgreSQL has gone back", async () => {
    const story = new ShardStory(7, 0);
    const log = new WrittenLog().marker().append(story.rules());
    const watched = startApplier();
    await feed(watched.applier, log);
    await applied(log);
    await pool.query("UPDATE ledger.partition_position SET position = 0, epoch = -1");
    await pool.query("DELETE FROM ledger.shard");
    await pool.query("DELETE FROM ledger.rules_history");
    log.append(story.issue(["anna"]));
    await watched.applier.accept({ partition: 0, ...log.from(2) });
    await eventually(() => watched.lost.length > 0);
    expect(watched.halts).toEqual([]);
    await feed(watched.applier, log);
    await applied(log);
    await expectBooks(pool, [story]);
  });
});
