import { eventually } from "@coupon/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BooksAuditing } from "./support/audited-books.ts";
import { expectMoney } from "./support/money.ts";
import { discountOf, ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

const DAY_MS = 86_400_000;
const GRACE_MS = 60_000;
const T0 = Date.parse("2026-03-01T08:00:00Z");
const patient = { timeoutMs: 30_000 };

const template = {
  ...batchOf(7).template,
  validity: { days: 1, mode: "rolling" as const },
};
const batch = batchOf(7, {
  template,
  shards: 1,
  funding: [
    { party: "brand", basisPoints: 6_667 },
    { party: "store", basisPoints: 3_333 },
  ],
});

let world: World;
let books: BooksAuditing;
let nowMs: number;
let story: ShardStory;
let ledgers: number;
/** Grows with every round of a sweep: nothing else asks this clock while nobody reads. */
let rounds: number;

/** The clock of the ledgers of a test; it stands still until the test steps it. */
function clock(): number {
  rounds += 1;
  return nowMs;
}

beforeEach(async () => {
  world = await World.create();
  nowMs = T0;
  ledgers = 0;
  rounds = 0;
  story = new ShardStory(7, 0, T0);
  await world.publish(batch);
  await world.append(0, [story.rules(), story.issue(["anna", "ben", "cleo", "dan"])]);
  books = await BooksAuditing.open(world, [batch]);
});

afterEach(async () => {
  await books.close();
  await world.close();
});

async function start(): Promise<void> {
  await world.start({ SWEEP_EVERY_MS: "20", EXPIRY_GRACE_MS: String(GRACE_MS) }, clock);
  ledgers += 1;
  await world.applied();
}

/** What events have come to on the liability account, in coupons. */
async function events(): Promise<Record<string, number>> {
  const { rows } = await world.pool.query<{ event: string; coupons: number }>(
    `SELECT event, sum(coupons)::bigint AS coupons FROM ledger.posting
     WHERE account = 'liability' AND party = 'brand' GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ event, coupons }) => [event, coupons]));
}

const swept = async () =>
  (await world.pool.query("SELECT coalesce(sum(swept), 0)::bigint AS swept FROM ledger.shard_books")).rows[0].swept;

/** Waits until the events are these, and the books agree with them. */
async function becomes(expected: Record<string, number>): Promise<void> {
  await eventually(async () => {
    expect(await events()).toEqual(expected);
    return true;
  }, patient);
  await expectMoney(world.pool);
  await books.expectClean();
}

/** Waits until rounds of the sweep that began after now are over. */
async function roundOver(): Promise<void> {
  const from = rounds;
  await eventually(() => rounds >= from + 4 * ledgers, patient);
}

const use = async () => (await world.get("/internal/v1/batches/7/use")).body;

describe("a silent shard", () => {
  it("is swept a grace after the validity, each coupon once, by however many ledgers", async () => {
    await start();
    await start();
    expect(await use()).toMatchObject({ issued: 4, open: 4, waiting: 4, outstanding: 2_000, doubtfulUntil: null });
    nowMs = T0 + DAY_MS + GRACE_MS - 1;
    await roundOver();
    expect(await events()).toEqual({ issue: 4 });
    nowMs += 1;
    await becomes({ issue: 4, expire: 4 });
    await roundOver();
    await becomes({ issue: 4, expire: 4 });
    // Nothing in the log tells the shard's time yet, so an earlier entry might still come.
    const doubtful = await use();
    expect(doubtful).toMatchObject({ open: 4, waiting: 0, outstanding: 0, overCost: 0 });
    expect(doubtful.doubtfulUntil).toBe("2026-03-02T08:00:00.000Z");
    story.later(DAY_MS);
    await world.append(0, [story.rules({ version: 2, state: "ended" })]);
    await world.applied();
    expect(await use()).toMatchObject({ ended: true, open: 0, waiting: 0, outstanding: 0, doubtfulUntil: null });
  });

  it("is not swept while a single entry of its partition is still to be applied", async () => {
    await world.start({ SWEEP_EVERY_MS: "20", EXPIRY_GRACE_MS: String(GRACE_MS), TERMS_WAIT_MS: "600000" }, clock);
    ledgers += 1;
    await world.applied();
    // It waits for its batch, which nobody has published yet.
    await world.append(0, [new ShardStory(8, 0, T0).rules()]);
    nowMs = T0 + DAY_MS + GRACE_MS;
    await roundOver();
    expect(await events()).toEqual({ issue: 4 });
    await world.publish(batchOf(8));
    await eventually(async () => (await events()).expire === 4, patient);
  });

  it("tells by its metrics how far the sweep is behind, and that the books balance", async () => {
    nowMs = T0 + DAY_MS + GRACE_MS / 2;
    const ledger = await world.start({ SWEEP_EVERY_MS: "20", EXPIRY_GRACE_MS: String(GRACE_MS) }, () => nowMs);
    await world.applied();
    const metric = async (line: string) => (await (await fetch(`${ledger.address}/metrics`)).text()).includes(line);
    await eventually(() => metric('ledger_sweep_lag_seconds{service="ledger"} 30'), patient);
    nowMs += GRACE_MS;
    await eventually(() => metric('ledger_expired_coupons_total{service="ledger"} 4'), patient);
    await eventually(() => metric('ledger_sweep_lag_seconds{service="ledger"} 0'), patient);
    expect(await metric('ledger_trial_balance_imbalance{currency="CNY",service="ledger"} 0')).toBe(true);
    await world.pool.query("UPDATE ledger.account_balance SET amount = amount + 3 WHERE account = 'liability'");
    await eventually(
      async () => !(await metric('ledger_trial_balance_imbalance{currency="CNY",service="ledger"} 0')),
      patient,
    );
  });
});

describe("a shard with traffic", () => {
  it("tells the time itself, whatever the clocks of ledgers say", async () => {
    await start();
    story.later(DAY_MS);
    await world.append(0, [story.issue(["eve"])]);
    await becomes({ issue: 5, expire: 4 });
    expect(await use()).toMatchObject({ issued: 5, open: 1, waiting: 1, outstanding: 500, doubtfulUntil: null });
  });
});

describe("a held coupon", () => {
  beforeEach(async () => {
    story.later(DAY_MS - 10_000);
    await world.append(0, [story.lock(0, "o1", 3_600_000), story.lock(1, "o2", 3_600_000), story.lock(2, "o3", 5_000)]);
    await start();
    nowMs = T0 + DAY_MS + GRACE_MS;
    await becomes({ issue: 4, expire: 2 });
    expect(await use()).toMatchObject({ waiting: 2, outstanding: 1_000 });
  });

  it("is not expired while the hold lasts, and redeems", async () => {
    story.later(60_000);
    await world.append(0, [story.redeem(0, "o1", discountOf(301))]);
    await becomes({ issue: 4, expire: 2, redeem: 1 });
    expect(await use()).toMatchObject({ open: 1, overCost: 301, spent: 301, waiting: 1, outstanding: 500 });
  });

  it("expires once the hold has ended: by release, or by its deadline", async () => {
    story.later(60_000);
    await world.append(0, [story.release(0, "o1")]);
    await becomes({ issue: 4, expire: 3 });
    expect(await use()).toMatchObject({ open: 1, waiting: 1, doubtfulUntil: null });
    const heldUntilMs = T0 + DAY_MS - 10_000 + 3_600_000;
    nowMs = heldUntilMs + GRACE_MS;
    await becomes({ issue: 4, expire: 4 });
    // By the wall clock alone: an entry that redeems it in time might still come, so it is not over for good.
    expect(await use()).toMatchObject({
      ...{ open: 4, waiting: 0, outstanding: 0 },
      doubtfulUntil: new Date(heldUntilMs).toISOString(),
    });
    story.later(3_600_000 - 70_000);
    await world.append(0, [story.redeem(1, "o2", discountOf(120))]);
    await becomes({ issue: 4, expire: 4, reinstate: 1, redeem: 1 });
    expect(await use()).toMatchObject({ open: 4, spent: 120 });
    story.later(20_000);
    await world.append(0, [story.rules({ version: 2, state: "ended" })]);
    await world.applied();
    expect(await use()).toMatchObject({ open: 0, overCost: 120, waiting: 0, doubtfulUntil: null });
  });

  it("leaves the books when it is killed, and when everything is", async () => {
    story.later(60_000);
    await world.append(0, [story.deactivate(0)]);
    await becomes({ issue: 4, expire: 2, deactivate: 1 });
    await world.append(0, [story.rules({ version: 2, state: "deactivated" })]);
    await world.applied();
    expect(await use()).toMatchObject({ open: 1, waiting: 1, ended: true });
    await world.append(0, [story.rules({ version: 3, state: "deactivated", revoked: true })]);
    await becomes({ issue: 4, expire: 2, deactivate: 1, revoke: 1 });
    expect(await use()).toMatchObject({ open: 0, waiting: 0, outstanding: 0, ended: true });
  });
});

describe("a batch that is killed", () => {
  it("takes with it what came back in the same transaction", async () => {
    await start();
    await world.append(0, [
      story.redeem(0, "o1", discountOf(500)),
      story.redeem(1, "o2", discountOf(500)),
      story.reverse(0, "o1", 500, 0, true),
      story.lock(2, "o3"),
      story.issue(["eve"]),
      story.rules({ version: 2, state: "deactivated", revoked: true }),
    ]);
    await becomes({ issue: 5, redeem: 2, reverse: 1, revoke: 4 });
    expect(await use()).toMatchObject({ open: 0, waiting: 0, outstanding: 0, spent: 500, ended: true });
  });
});

describe("an entry that comes after its coupon was swept", () => {
  beforeEach(async () => {
    await start();
    nowMs = T0 + DAY_MS + GRACE_MS;
    await becomes({ issue: 4, expire: 4 });
  });

  it("reinstates what it redeems", async () => {
    story.later(DAY_MS - 5_000);
    await world.append(0, [story.redeem(0, "o1", discountOf(200))]);
    await becomes({ issue: 4, expire: 4, reinstate: 1, redeem: 1 });
    expect(await use()).toMatchObject({ open: 4, spent: 200, outstanding: 0, doubtfulUntil: expect.any(String) });
    story.later(DAY_MS);
    await world.append(0, [story.rules({ version: 2 })]);
    await world.applied();
    expect(await use()).toMatchObject({ open: 0, overCost: 200, doubtfulUntil: null });
  });

  it("reinstates what it locks until the hold has ended", async () => {
    story.later(DAY_MS - 5_000);
    await world.append(0, [story.lock(0, "o1", 7_200_000)]);
    await becomes({ issue: 4, expire: 4, reinstate: 1 });
    expect(await use()).toMatchObject({ waiting: 1, outstanding: 500 });
    nowMs += 7_200_000;
    await becomes({ issue: 4, expire: 5, reinstate: 1 });
    expect(await swept()).toBe(4);
  });
});

describe("a reversal", () => {
  it("brings the liability back with the coupon while it is valid, and nothing once it is over", async () => {
    await world.append(0, [
      story.redeem(0, "o1", discountOf(333)),
      story.redeem(1, "o2", discountOf(100)),
      story.reverse(0, "o1", 111, 222, false),
      story.reverse(0, "o1", 222, 0, true),
    ]);
    await start();
    await becomes({ issue: 4, redeem: 2, reverse: 1 });
    expect(await use()).toMatchObject({ open: 4, spent: 100, outstanding: 1_500 });
    nowMs = T0 + DAY_MS + GRACE_MS;
    await becomes({ issue: 4, redeem: 2, reverse: 1, expire: 3 });
    story.later(2 * DAY_MS);
    await world.append(0, [story.reverse(1, "o2", 100, 0, true)]);
    await world.applied();
    await expectMoney(world.pool);
    await books.expectClean();
    expect(await events()).toEqual({ issue: 4, redeem: 2, reverse: 1, expire: 3 });
    expect(await use()).toMatchObject({ open: 0, overCost: 0, spent: 0, outstanding: 0 });
  });
});

describe("an audit of the books of coupons that have expired", () => {
  const sql = (text: string) => world.pool.query(text);
  const line = "event = 'expire' AND account = 'liability' AND party = 'brand'";

  beforeEach(async () => {
    story.later(DAY_MS - 10_000);
    await world.append(0, [story.deactivate(3), story.lock(0, "o1", 3_600_000)]);
    await start();
    nowMs = T0 + DAY_MS + GRACE_MS;
    await becomes({ issue: 4, deactivate: 1, expire: 2 });
  });

  it.each<[string, string, object]>([
    [
      "a line that is off by one",
      `UPDATE ledger.posting SET amount = amount + 1 WHERE ${line}`,
      { kind: "posting", expected: { event: "expire", account: "liability", party: "brand", coupons: 2 } },
    ],
    [
      "a line that is missing",
      `DELETE FROM ledger.posting WHERE ${line}`,
      { kind: "posting", expected: { event: "expire", account: "liability", coupons: 2 }, found: { lines: null } },
    ],
    [
      "a line that is doubled",
      `INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
       SELECT at_ms, number, amount, batch, coupons, shard, event, account, party FROM ledger.posting WHERE ${line}`,
      {
        kind: "posting",
        expected: { account: "liability", coupons: 2 },
        found: { lines: [{ coupons: 2 }, { coupons: 2 }] },
      },
    ],
    [
      "all lines of an expiry missing",
      "DELETE FROM ledger.posting WHERE event = 'expire'",
      { kind: "books", expected: { account: "liability", party: "brand", owed: 334 }, found: { owed: 1_002 } },
    ],
    [
      "a watermark that is off by one",
      "UPDATE ledger.shard_books SET swept = swept - 1",
      { kind: "books", expected: { killed: 1 }, found: { killed: 0 } },
    ],
    [
      "what swept coupons have cost, off by one",
      "UPDATE ledger.shard_books SET over_cost = over_cost + 1",
      { kind: "books", expected: { overCost: 0 }, found: { overCost: 1 } },
    ],
    [
      "a coupon that a hold keeps and that is not put off",
      "DELETE FROM ledger.deferred_expiry",
      { kind: "books", serial: 0, expected: { deferred: true } },
    ],
    [
      "a coupon that is put off and is dead",
      "INSERT INTO ledger.deferred_expiry VALUES (7, 0, 3)",
      { kind: "books", serial: 3, expected: { deferred: false } },
    ],
  ])("finds %s", async (_, change, expected) => {
    for (const ledger of world.ledgers) await world.stop(ledger);
    await sql(change);
    expect(await books.findings()).toContainEqual(expect.objectContaining(matching(expected)));
  });

  it.each([
    ["that was moved to another entry", "number = number - 1"],
    ["that has become one of another event", "event = 'open'"],
    ["of other coupons and another amount", "amount = amount * 3 / 2, coupons = 3"],
  ])("posts no wrong line for one %s", async (_, change) => {
    for (const ledger of world.ledgers) await world.stop(ledger);
    const before = await owed([]);
    await sql(`UPDATE ledger.posting SET ${change} WHERE ${line}`);
    expect((await books.findings()).filter(({ kind }) => kind === "posting")).not.toEqual([]);
    const { lines } = await books.correction(7, 0);
    // Where it posts anything, every account has again what it had.
    if (lines.length > 0) expect(await owed(lines)).toEqual(before);
  });

  /** What each account has come to, with these lines. */
  async function owed(lines: { account: string; party: string; amount: number }[]): Promise<Record<string, number>> {
    const { rows } = await sql("SELECT account, party, amount FROM ledger.posting");
    const by = Map.groupBy([...rows, ...lines], ({ account, party }) => `${account} ${party}`);
    return Object.fromEntries([...by].map(([name, each]) => [name, each.reduce((sum, { amount }) => sum + amount, 0)]));
  }
});

/** Objects within an object, too, need have no more than these. */
function matching(expected: object): object {
  const inner = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inner);
    return value === null || typeof value !== "object" ? value : expect.objectContaining(matching(value));
  };
  return Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, inner(value)]));
}
