import { eventually, type ServiceProcess, startServiceProcess } from "@coupon/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BooksAuditing } from "./support/audited-books.ts";
import { expectBooks } from "./support/books.ts";
import { watchBalance } from "./support/money.ts";
import { createRandom, type Random } from "./support/random.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

const MAIN = "services/ledger/src/main.ts";

/** Thirds can't be split evenly, so that remainders are at work in every line. */
const funding = [
  { party: "brand", basisPoints: 3_334 },
  { party: "platform", basisPoints: 3_333 },
  { party: "store", basisPoints: 3_333 },
];

let world: World;
let watched: ReturnType<typeof watchBalance> | null = null;
const processes = new Set<ServiceProcess>();

const definitions = [7, 8, 9, 10, 11, 12].map((batch) => batchOf(batch, { funding }));

beforeEach(async () => {
  world = await World.create();
  await world.publish(...definitions);
});

afterEach(async () => {
  await watched?.stop();
  watched = null;
  for (const ledger of processes) await ledger.kill("SIGKILL");
  processes.clear();
  await world.close();
});

async function startProcess(): Promise<ServiceProcess> {
  const { PORT: _, ...env } = world.env({
    LOG_LEVEL: "warn",
    TRANSACTION_ROWS_MAX: "200",
    // Little rest makes many transactions, and so many cuts to look at.
    REST_MS_MAX: "20",
    GROUP_SESSION_TIMEOUT_MS: "2500",
  });
  const ledger = await startServiceProcess({ main: MAIN, env });
  processes.add(ledger);
  return ledger;
}

async function crash(ledger: ServiceProcess): Promise<void> {
  processes.delete(ledger);
  await ledger.kill("SIGKILL");
}

/** Six shards over three partitions, written in small batches, with new owners, re-sends and zombies' entries. */
async function* writeHistory(stories: ShardStory[], random: Random, rounds: number): AsyncGenerator<number> {
  for (let round = 0; round < rounds; round++) {
    for (const story of stories) {
      const partition = story.shard % 3;
      if (random.chance(0.02)) await world.marker(partition);
      const entries = Array.from({ length: 1 + random.below(12) }, () => story.random(random));
      await world.append(partition, entries);
      if (random.chance(0.1)) await world.append(partition, entries.slice(-1));
      if (random.chance(0.05)) await world.append(partition, entries.slice(-1), 999_999);
    }
    yield round;
  }
}

/** An audit finds nothing in the books: in one walk, in several, and where the log is younger than they are. */
async function expectAudited(): Promise<void> {
  const books = await BooksAuditing.open(world, definitions);
  try {
    await books.expectClean();
    await books.expectClean({ entriesAtOnce: 50 });
    await books.expectClean({ logFrom: 60 });
    await books.expectClean({ logFrom: 1_000_000 });
  } finally {
    await books.close();
  }
}

describe("every entry reaches PostgreSQL exactly once in effect", () => {
  it("killed with -9 at any point, and started again", async () => {
    const random = createRandom(42);
    const stories = [0, 1, 2, 3, 4, 5].map((shard) => new ShardStory(7, shard));
    let ledger = await startProcess();
    watched = watchBalance(world.pool);
    let kills = 0;
    for await (const _ of writeHistory(stories, random, 24)) {
      if (!random.chance(0.25)) continue;
      await crash(ledger);
      kills += 1;
      ledger = await startProcess();
    }
    await world.applied();
    await expectBooks(world.pool, stories);
    expect(kills).toBeGreaterThan(2);
    await expectAlwaysBalanced();
    await expectAudited();
  }, 240_000);

  it("with two processes that come and go", async () => {
    const random = createRandom(43);
    const stories = [0, 1, 2, 3, 4, 5].map((shard) => new ShardStory(8, shard));
    const ledgers = [await startProcess(), await startProcess()];
    watched = watchBalance(world.pool);
    for await (const round of writeHistory(stories, random, 16)) {
      if (round % 4 !== 3) continue;
      const [oldest] = ledgers.splice(0, 1);
      if (round % 8 === 3) await crash(oldest as ServiceProcess);
      else await stop(oldest as ServiceProcess);
      ledgers.push(await startProcess());
    }
    await world.applied();
    await expectBooks(world.pool, stories);
    await expectAlwaysBalanced();
  }, 240_000);

  it("frozen while another takes over, and woken again", async () => {
    const random = createRandom(44);
    const stories = [0, 1, 2].map((shard) => new ShardStory(9, shard));
    const zombie = await startProcess();
    for await (const _ of writeHistory(stories, random, 3));
    process.kill(zombie.child.pid, "SIGSTOP");
    for await (const _ of writeHistory(stories, random, 3));
    await startProcess();
    await world.applied();
    for await (const _ of writeHistory(stories, random, 3));
    process.kill(zombie.child.pid, "SIGCONT");
    for await (const _ of writeHistory(stories, random, 3));
    await world.applied();
    await expectBooks(world.pool, stories);
  }, 240_000);

  it("a killed one's partitions are another's within the session's time", async () => {
    const stories = [0, 1, 2].map((shard) => new ShardStory(12, shard));
    await Promise.all(stories.map((story) => world.append(story.shard, [story.rules(), story.issue(["anna"])])));
    const [killed, left] = [await startProcess(), await startProcess()];
    const assigned = async ({ url }: ServiceProcess) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return [...text.matchAll(/^ledger_applied_position\{/gm)].length;
    };
    await eventually(async () => (await assigned(killed)) > 0 && (await assigned(left)) > 0, { timeoutMs: 30_000 });
    await crash(killed);
    const killedAtMs = performance.now();
    await Promise.all(stories.map((story) => world.append(story.shard, [story.issue(["ben"])])));
    await world.applied();
    // The session ends after 2.5 s, and the member that is left hears of it with its next heartbeat, every 0.5 s.
    expect(performance.now() - killedAtMs).toBeLessThan(6_000);
    await expectBooks(world.pool, stories);
  }, 120_000);

  it("drained by SIGTERM, with status 0", async () => {
    const stories = [new ShardStory(10, 0)];
    const ledger = await startProcess();
    const random = createRandom(45);
    for await (const _ of writeHistory(stories, random, 3));
    await stop(ledger);
    for await (const _ of writeHistory(stories, random, 2));
    await startProcess();
    await world.applied();
    await expectBooks(world.pool, stories);
  }, 120_000);
});

/** Debits and credits were equal at every cut that was seen, and there was something to see. */
async function expectAlwaysBalanced(): Promise<void> {
  const { cuts, amounts, wrong } = (await watched?.stop()) ?? { cuts: 0, amounts: [], wrong: [] };
  expect(wrong).toEqual([]);
  expect(cuts).toBeGreaterThan(50);
  expect(amounts.length).toBeGreaterThan(10);
}

async function stop(ledger: ServiceProcess): Promise<void> {
  processes.delete(ledger);
  await ledger.stop();
}

describe("a gap", () => {
  it("halts its partition alone, raises the alarm and stays, also after a restart", async () => {
    const [good, bad] = [new ShardStory(11, 0), new ShardStory(11, 1)];
    await world.append(0, [good.rules(), good.issue(["anna"])]);
    await world.append(1, [bad.rules()]);
    bad.issue(["lost"]);
    await world.append(1, [bad.issue(["ben"])]);
    for (const _ of [1, 2]) {
      const ledger = await startProcess();
      const metrics = async () => (await fetch(`${ledger.url}/metrics`)).text();
      await eventually(async () => (await metrics()).includes('ledger_alarms_total{reason="gap",service="ledger"} 1'), {
        timeoutMs: 30_000,
      });
      const text = await metrics();
      expect(text).toContain('ledger_partition_halted{partition="1",service="ledger"} 1');
      // What came before the gap is on its way into PostgreSQL when the alarm is raised.
      await eventually(async () => (await metrics()).includes('ledger_lag_messages{partition="1",service="ledger"} 1'));
      expect(ledger.output()).toContain("partition 1 is halted: entry 3 of shard 11.1 at offset 2 skips numbers");
      await world.append(0, [good.issue(["cleo"])]);
      await eventually(() => expectBooks(world.pool, [good]).then(() => true), { timeoutMs: 30_000 });
      await stop(ledger);
    }
    const { rows } = await world.pool.query("SELECT number, issued FROM ledger.shard WHERE shard = 1");
    expect(rows).toEqual([{ number: 1, issued: 0 }]);
  }, 120_000);
});
