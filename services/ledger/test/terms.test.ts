import { migrate } from "@coupon/database";
import { eventually } from "@coupon/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BooksAuditing } from "./support/audited-books.ts";
import { expectBooks } from "./support/books.ts";
import { expectMoney } from "./support/money.ts";
import { discountOf, ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

const patient = { timeoutMs: 60_000 };
let world: World;

beforeEach(async () => {
  world = await World.create();
});

afterEach(() => world.close());

async function metricsOf(address: string): Promise<string> {
  return (await fetch(`${address}/metrics`)).text();
}

describe("an entry whose batch's terms are not known", () => {
  it("waits with its partition, while others go on, and is applied when they come", async () => {
    const [known, unknown] = [new ShardStory(7, 0), new ShardStory(8, 1)];
    await world.publish(batchOf(7));
    const ledger = await world.start({ TERMS_WAIT_MS: "600000" });
    await world.append(0, [known.rules(), known.issue(["anna"])]);
    await world.append(1, [unknown.rules(), unknown.issue(["ben"])]);
    await eventually(() => expectBooks(world.pool, [known]).then(() => true), patient);
    expect((await world.pool.query("SELECT 1 FROM ledger.shard WHERE batch = 8")).rowCount).toBe(0);
    expect(await metricsOf(ledger.address)).toContain('ledger_partition_halted{partition="1",service="ledger"} 0');
    await world.publish(batchOf(8));
    await world.applied();
    await expectBooks(world.pool, [known, unknown]);
  }, 120_000);

  it("is an alarm after its time, and goes on all the same when they come", async () => {
    const story = new ShardStory(8, 1);
    const ledger = await world.start({ TERMS_WAIT_MS: "100" });
    await world.append(1, [story.rules(), story.issue(["ben"])]);
    const alarm = 'ledger_alarms_total{reason="terms",service="ledger"} 1';
    await eventually(async () => (await metricsOf(ledger.address)).includes(alarm), patient);
    await world.append(1, [story.issue(["cleo"])]);
    await world.publish(batchOf(8));
    await world.applied();
    await expectBooks(world.pool, [story]);
    expect(await metricsOf(ledger.address)).toContain('ledger_partition_halted{partition="1",service="ledger"} 0');
  }, 120_000);

  it("in money of another currency halts, and is never posted", async () => {
    const story = new ShardStory(7, 0);
    await world.publish(batchOf(7));
    const ledger = await world.start();
    await world.append(0, [story.rules(), story.issue(["ben"])]);
    await world.append(0, [story.redeem(0, "o1", { ...discountOf(100), currency: "EUR" })]);
    const alarm = 'ledger_alarms_total{reason="unreadable",service="ledger"} 1';
    await eventually(async () => (await metricsOf(ledger.address)).includes(alarm), patient);
    expect((await world.pool.query("SELECT 1 FROM ledger.posting WHERE event = 'redeem'")).rowCount).toBe(0);
  }, 120_000);
});

describe("a database with coupons from before there were books", () => {
  it("gets opening lines, once, and everything after them adds up", async () => {
    const story = new ShardStory(7, 0);
    const batch = batchOf(7, {
      funding: [
        { party: "brand", basisPoints: 7_001 },
        { party: "store", basisPoints: 2_999 },
      ],
    });
    await world.publish(batch);
    await world.append(0, [
      story.rules(),
      story.issue(["anna", "ben", "cleo", "dan"]),
      story.redeem(0, "o1", discountOf(333)),
      story.reverse(0, "o1", 100, 233, false),
      story.redeem(1, "o2", discountOf(77)),
      story.deactivate(2),
    ]);
    const first = await world.start();
    await world.applied();
    await world.stop(first);
    // As a database is that had all this when the tables of the books were made.
    await world.pool.query("TRUNCATE ledger.posting, ledger.account_balance, ledger.batch_terms, ledger.shard_books");
    await world.pool.query(
      "INSERT INTO ledger.shard_books (batch, shard, opened) SELECT batch, shard, false FROM ledger.shard",
    );
    expect(await migrate({ databaseUrl: world.database.databaseUrl })).toEqual([]);
    await Promise.all([world.start(), world.start()]);
    await expectMoney(world.pool);
    await world.append(0, [story.reverse(0, "o1", 233, 0, true), story.issue(["eve"])]);
    await world.applied();
    await expectBooks(world.pool, [story]);
    const { rows } = await world.pool.query(
      "SELECT event, sum(coupons)::bigint AS coupons FROM ledger.posting WHERE account = 'liability' AND party = 'brand' GROUP BY 1 ORDER BY 1",
    );
    expect(rows).toEqual([
      { event: "issue", coupons: 1 },
      { event: "open", coupons: 1 },
      { event: "reverse", coupons: 1 },
    ]);
    const audit = await BooksAuditing.open(world, [batch]);
    await audit.expectClean();
    const sql = (text: string) => world.pool.query(text);

    // One line that becomes an opening line moves nothing but itself.
    const ofEve = "account = 'liability' AND party = 'brand' AND number = 8";
    await sql(`UPDATE ledger.posting SET event = 'open' WHERE ${ofEve}`);
    const place = { number: 8, account: "liability", party: "brand" };
    expect(await audit.findings()).toMatchObject([
      { kind: "posting", expected: { ...place, event: "issue" }, found: { lines: null } },
      { kind: "posting", expected: null, found: { lines: [{ ...place, event: "open" }] } },
    ]);
    expect((await audit.correction(7, 0)).lines).toMatchObject([
      { ...place, event: "issue", amount: -350, coupons: 1 },
      { ...place, event: "open", amount: 350, coupons: -1 },
    ]);
    await sql(`UPDATE ledger.posting SET event = 'issue' WHERE ${ofEve}`);

    // Of an opening line nothing is told.
    const opening = "event = 'open' AND account = 'liability' AND party = 'brand'";
    for (const change of ["amount = amount + 1", "number = number + 1", "number = 0", "event = 'issue'"]) {
      await sql("CREATE TABLE kept AS SELECT * FROM ledger.posting");
      await sql(`UPDATE ledger.posting SET ${change} WHERE ${opening}`);
      expect((await audit.findings()).filter(({ kind }) => kind === "posting")).not.toEqual([]);
      expect((await audit.correction(7, 0)).lines).toEqual([]);
      await sql("TRUNCATE ledger.posting");
      await sql("INSERT INTO ledger.posting OVERRIDING SYSTEM VALUE SELECT * FROM kept");
      await sql("DROP TABLE kept");
    }
    await audit.expectClean();

    // Nor is a shard opened twice.
    await sql("UPDATE ledger.shard_books SET opened = false");
    expect(await audit.findings()).toMatchObject([{ kind: "books", found: { opened: false } }]);
    await world.start();
    await expectMoney(world.pool);
    await audit.close();
  }, 120_000);

  it("is not served while the terms of its batches are not known", async () => {
    await world.pool.query("INSERT INTO ledger.shard_books (batch, shard, opened) VALUES (99, 0, false)");
    await expect(world.start({ TERMS_WAIT_MS: "100" })).rejects.toThrow("The books of batch 99 can't be opened");
  });
});
