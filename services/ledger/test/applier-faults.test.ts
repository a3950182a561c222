import { createFaultProxy, eventually } from "@coupon/testkit";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isOvertaken } from "../src/applying/applier.ts";
import { ApplierBench, feed, ledgerPool, patient } from "./support/applier-bench.ts";
import { expectBooks } from "./support/books.ts";
import { createRandom } from "./support/random.ts";
import { ShardStory } from "./support/shard-story.ts";
import { WrittenLog } from "./support/written-log.ts";

let bench: ApplierBench;
beforeEach(async () => {
  bench = await ApplierBench.create();
});
afterEach(() => bench.close());

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
        await bench.pool.query("DELETE FROM ledger.partition_position");
        const ledgers = [bench.start({ rowsMax: 20 }), bench.start({ rowsMax: 35 })];
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
        for (const [index, log] of logs.entries()) await bench.applied(log, partitions[index]);
        await expectBooks(bench.pool, stories);
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
    const { hostname, port } = new URL(bench.databaseUrl);
    const proxy = await createFaultProxy({ host: hostname, port: Number(port) });
    const url = new URL(bench.databaseUrl);
    url.port = String(proxy.port);
    const throughProxy = ledgerPool(url.href);
    try {
      const random = createRandom(11);
      const stories = [0, 1].map((shard) => new ShardStory(9, shard));
      const logs = stories.map((story) => {
        const log = new WrittenLog().marker();
        for (let n = 0; n < 300; n++) log.append(story.random(random));
        return log;
      });
      const watched = bench.start({ rowsMax: 50, pool: throughProxy });
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
      await Promise.all(logs.map((log, partition) => bench.applied(log, partition)));
      ended = true;
      end.resolve();
      await cutting;
      await expectBooks(bench.pool, stories);
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
    const watched = bench.start();
    await feed(watched.applier, log);
    await bench.applied(log);
    await bench.pool.query("UPDATE ledger.partition_position SET position = 0, epoch = -1");
    await bench.pool.query("DELETE FROM ledger.shard");
    await bench.pool.query("DELETE FROM ledger.rules_history");
    log.append(story.issue(["anna"]));
    await watched.applier.accept({ partition: 0, ...log.from(2) });
    await eventually(() => watched.lost.length > 0);
    expect(watched.halts).toEqual([]);
    await feed(watched.applier, log);
    await bench.applied(log);
    await expectBooks(bench.pool, [story]);
  });
});
