import type { BatchDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Platform } from "./support/platform.ts";

/** Real issuing, Redis, Kafka and PostgreSQL; drifts are planted by editing a store behind everybody's back. */
let platform: Platform;
let number = 0;

beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform.close());

interface Books {
  batch: BatchDefinition;
  /** Coupon ids by serial: users u0 to u9. */
  coupons: string[];
}

/** A batch of ten coupons, of which the first is redeemed by an order, the second held, and all are in PostgreSQL. */
async function books(): Promise<Books> {
  number += 1;
  const batch = await platform.batch(number, {}, "u0");
  const coupons: string[] = [];
  for (let user = 0; user < 10; user += 1) {
    // The one that tried whether the batch issues may have got another; ids are told in the order of serials here.
    if (user > 0) await platform.claim(batch.batchId, `u${user}`);
  }
  await applied(batch);
  const { rows } = await platform.world.pool.query(
    "SELECT serial, user_id, issued_at_ms FROM ledger.coupon WHERE batch = $1 ORDER BY serial",
    [batch.batchNumber],
  );
  for (const row of rows) {
    coupons.push(
      platform.world.couponId(batch, 0, { serial: row.serial, userId: row.user_id, issuedAtMs: row.issued_at_ms }),
    );
  }
  await platform.redeem("u0", coupons[0] ?? "", `order-${number}`);
  await applied(batch);
  await proven();
  return { batch, coupons };
}

/** Waits until the ledger has what Redis has of the batch's shard. */
async function applied({ batchNumber }: BatchDefinition): Promise<void> {
  await eventually(
    async () => {
      const [header] = await platform.calls.readHeaders([{ batch: batchNumber, shard: 0 }]);
      const { rows } = await platform.world.pool.query("SELECT number FROM ledger.shard WHERE batch = $1", [
        batchNumber,
      ]);
      return header != null && rows[0]?.number === header.number;
    },
    { timeoutMs: 20_000 },
  );
}

async function proven(): Promise<void> {
  await eventually(
    async () => {
      const { shards, proven: count } = await platform.proof();
      return shards === number && count === shards;
    },
    { timeoutMs: 20_000 },
  );
}

const key = (batch: BatchDefinition, rest: string) => `${platform.world.keyPrefix}{${batch.batchNumber}.0}:${rest}`;
const sql = (text: string, ...values: unknown[]) => platform.world.pool.query(text, values);

/** Plants `change`, has the audit find and name it, repairs it by two persons, and finds all clean. */
async function plantAndRepair(
  { batch, coupons }: Books,
  change: () => Promise<unknown>,
  expected: { store: string; kind: string; serial: number | null },
): Promise<void> {
  await change();
  const audit = await platform.audit({ batchId: batch.batchId });
  expect(audit).toMatchObject({ state: "discrepant", detail: null });
  const { serial } = expected;
  const couponId = serial === null ? null : (coupons[serial] ?? null);
  expect(audit.discrepancies).toContainEqual(expect.objectContaining({ ...expected, couponId }));
  expect(audit.discrepancies).toHaveLength(1);
  const ids = audit.discrepancies.map((each: { discrepancyId: number }) => each.discrepancyId);
  await platform.correct(audit.reconciliationId, ids);
  expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean", found: 0 });
  await platform.claim(batch.batchId, "afterwards");
}

describe("the running proof", () => {
  it("says that given = issued + left + in transfer", async () => {
    await books();
    const proof = await platform.proof();
    expect(proof.drifting).toEqual([]);
    expect(proof.stock.issued).toBeGreaterThanOrEqual(10);
    expect(proof.stock.given).toBe(proof.stock.issued + proof.stock.left + proof.stock.inTransfer);
    expect(proof.oldestSeconds).toBeLessThan(5);
  });

  it.each<[string, (batch: BatchDefinition) => Promise<unknown>]>([
    ["stock left in Redis off by one", (batch) => platform.redis.hincrby(key(batch, "h"), "l", 1)],
    ["the day's first serial in Redis off by one", (batch) => platform.redis.hincrby(key(batch, "h"), "f", 1)],
    [
      "coupons issued in PostgreSQL off by one",
      (b) => sql("UPDATE ledger.shard SET issued = issued + 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the discount given in PostgreSQL off by one",
      (b) => sql("UPDATE ledger.shard SET discounted = discounted - 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the last entry's number in PostgreSQL beyond the log",
      (b) => sql("UPDATE ledger.shard SET number = number + 7 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the last entry's number in PostgreSQL behind the log",
      (b) => sql("UPDATE ledger.shard SET number = number - 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "a shard whose row is gone from PostgreSQL",
      (b) => sql("DELETE FROM ledger.shard WHERE batch = $1", b.batchNumber),
    ],
  ])("finds %s within 5 s, and its audit repairs it", async (_, change) => {
    const { batch } = await books();
    const plantedAt = performance.now();
    await change(batch);
    const found = await eventually(
      async () =>
        (await platform.proof()).drifting.find(
          (each: { batchNumber: number }) => each.batchNumber === batch.batchNumber,
        ) ?? false,
      { timeoutMs: 10_000 },
    );
    expect(performance.now() - plantedAt).toBeLessThan(5_000);
    expect(found.drifts).toHaveLength(1);
    const run = await eventually(
      async () => {
        const { items } = (await platform.world.ops("/reconciliations")).body;
        return (
          items.find(
            (each: { trigger: string; batchNumber: number; finishedAt: string | null }) =>
              each.trigger === "proof" && each.batchNumber === batch.batchNumber && each.finishedAt !== null,
          ) ?? false
        );
      },
      { timeoutMs: 30_000 },
    );
    const audit = await platform.ended(run.reconciliationId);
    expect(audit.discrepancies).toMatchObject([{ kind: "counter", serial: null }]);
    await platform.correct(audit.reconciliationId, [audit.discrepancies[0].discrepancyId]);
    await proven();
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });
});

describe("the audit", () => {
  it.each<
    [string, { store: string; kind: string; serial: number | null }, (batch: BatchDefinition) => Promise<unknown>]
  >([
    [
      "a row that is missing",
      { store: "postgresql", kind: "missing", serial: 3 },
      (b) => sql("DELETE FROM ledger.coupon WHERE batch = $1 AND serial = 3", b.batchNumber),
    ],
    [
      "a row in another state",
      { store: "postgresql", kind: "state", serial: 4 },
      (b) => sql("UPDATE ledger.coupon SET state = 3 WHERE batch = $1 AND serial = 4", b.batchNumber),
    ],
    [
      "a row of another user",
      { store: "postgresql", kind: "facts", serial: 5 },
      (b) => sql("UPDATE ledger.coupon SET user_id = 'thief' WHERE batch = $1 AND serial = 5", b.batchNumber),
    ],
    [
      "an amount off by one",
      { store: "postgresql", kind: "facts", serial: 0 },
      (b) => sql("UPDATE ledger.redemption SET discount = discount + 1 WHERE batch = $1 AND serial = 0", b.batchNumber),
    ],
    [
      "a redemption twice",
      { store: "postgresql", kind: "facts", serial: 0 },
      (b) =>
        sql(
          "INSERT INTO ledger.redemption SELECT batch, shard, serial, number + 1, caller_id, order_id, payload, redeemed_at_ms, discount, currency, lines FROM ledger.redemption WHERE batch = $1",
          b.batchNumber,
        ),
    ],
    [
      "state bits of another state",
      { store: "redis", kind: "state", serial: 6 },
      (b) => platform.redis.call("BITFIELD", key(b, "s0"), "SET", "u2", "#6", "3"),
    ],
    [
      "an amount in a record off by one",
      { store: "redis", kind: "facts", serial: 0 },
      (b) => changeRecord(key(b, "c0")),
    ],
    ["a slot that is missing", { store: "redis", kind: "missing", serial: 7 }, (b) => changeSlot(b, 7, () => null)],
    [
      "a slot with another key",
      { store: "redis", kind: "facts", serial: 8 },
      (b) => changeSlot(b, 8, (slot) => Buffer.from(slot).fill(1, 3)),
    ],
    [
      "a coupon in two slots",
      { store: "redis", kind: "doubled", serial: 9 },
      (b) => changeSlot(b, 9, (slot) => Buffer.concat([slot, slot])),
    ],
  ])("finds %s, names it, and it is repaired", async (_, expected, change) => {
    const made = await books();
    await plantAndRepair(made, () => change(made.batch), expected);
  });

  it("finds state bits in the last of several pages, which nobody had come to", async () => {
    const { batch } = await books();
    const users = Array.from({ length: 4_200 }, (_, user) => ({ userId: `many-${user}` }));
    const granted = await platform.client.grant(batch.batchId, users);
    expect(granted.outcomes.every(({ outcome }) => outcome === "issued")).toBe(true);
    await applied(batch);
    await platform.redis.call("BITFIELD", key(batch, "s1"), "SET", "u2", "#100", "3");
    const { discrepancies } = await platform.audit({ batchId: batch.batchId });
    expect(discrepancies).toMatchObject([{ store: "redis", kind: "state", serial: 4_196 }]);
  });

  it.each<[string, (batch: number) => Promise<unknown>[], object[]]>([
    [
      "an amount off by one in a line of the journal",
      (b) => [sql(`UPDATE ledger.posting SET amount = amount + 1 WHERE batch = $1 AND ${ofRedeem("cost")}`, b)],
      [posting({ event: "redeem", account: "cost", amount: 500 }, [{ amount: 501 }], 0)],
    ],
    [
      "a line that is missing",
      (b) => [sql(`DELETE FROM ledger.posting WHERE batch = $1 AND ${issued("liability", 3)}`, b)],
      [posting({ event: "issue", account: "liability", amount: -500, coupons: 1 }, null, 3)],
    ],
    [
      "a line that is doubled",
      (b) => [
        sql(
          `INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
           SELECT at_ms, number, amount, batch, coupons, shard, event, account, party
           FROM ledger.posting WHERE batch = $1 AND ${issued("commitment", 4)}`,
          b,
        ),
      ],
      [posting({ event: "issue", account: "commitment", amount: 500 }, [{ amount: 500 }, { amount: 500 }], 4)],
    ],
    [
      "all lines of an entry missing",
      (b) => [sql(`DELETE FROM ledger.posting WHERE batch = $1 AND number = ${issueOf(5)}`, b)],
      [posting({ account: "commitment" }, null, 5), posting({ account: "liability" }, null, 5)],
    ],
    ...["open", "expire"].map((event): [string, (batch: number) => Promise<unknown>[], object[]] => [
      `a line that has become one of event ${event}`,
      (b) => [sql(`UPDATE ledger.posting SET event = '${event}' WHERE batch = $1 AND ${issued("liability", 3)}`, b)],
      [
        posting({ event: "issue", account: "liability", amount: -500, coupons: 1 }, null, 3),
        posting({}, [{ event, account: "liability", amount: -500 }], 3),
      ],
    ]),
    [
      "a line of a redemption that has become one of an expiry",
      (b) => [sql(`UPDATE ledger.posting SET event = 'expire' WHERE batch = $1 AND ${ofRedeem("liability")}`, b)],
      [
        posting({ event: "redeem", account: "liability", amount: 500 }, null, 0),
        posting({}, [{ event: "expire", account: "liability", amount: 500 }], 0),
      ],
    ],
    ...[0, -3].map((number): [string, (batch: number) => Promise<unknown>[], object[]] => [
      `a line of entry ${number}`,
      (b) => [sql(`UPDATE ledger.posting SET number = ${number} WHERE batch = $1 AND ${issued("liability", 3)}`, b)],
      [
        posting(null, [{ number, event: "issue", account: "liability" }], null),
        posting({ event: "issue", account: "liability", amount: -500, coupons: 1 }, null, 3),
      ],
    ]),
    [
      "books that are said not to be opened",
      (b) => [sql("INSERT INTO ledger.shard_books (batch, shard, opened) VALUES ($1, 0, false)", b)],
      [finding("books", { opened: true }, { opened: false })],
    ],
    [
      "a line that was moved to another time",
      (b) => [sql(`UPDATE ledger.posting SET at_ms = at_ms + 1 WHERE batch = $1 AND ${ofRedeem("payable")}`, b)],
      [posting({ event: "redeem", account: "payable", amount: -500 }, [{ amount: -500 }], 0)],
    ],
    [
      "a line and its balance off alike",
      (b) => [
        sql(`UPDATE ledger.posting SET amount = amount - 1 WHERE batch = $1 AND ${ofRedeem("payable")}`, b),
        sql(`UPDATE ledger.account_balance SET amount = amount - 1 WHERE batch = $1 AND ${ofRedeem("payable")}`, b),
      ],
      [
        posting({ event: "redeem", account: "payable", amount: -500 }, [{ amount: -501 }], 0),
        finding("balance", { amount: -500 }, { amount: -501 }),
      ],
    ],
    [
      "a balance off by one",
      (b) => [sql("UPDATE ledger.account_balance SET coupons = coupons + 1 WHERE batch = $1 AND account = 'cost'", b)],
      [finding("balance", { event: "redeem", account: "cost", coupons: 1 }, { coupons: 2 })],
    ],
    [
      "a count of the dead off by one",
      (b) => [sql("INSERT INTO ledger.shard_books (batch, shard, killed) VALUES ($1, 0, 1)", b)],
      [finding("books", { killed: 0 }, { killed: 1 })],
    ],
    [
      "a shard that is said to be revoked",
      (b) => [sql("INSERT INTO ledger.shard_books (batch, shard, revoked) VALUES ($1, 0, true)", b)],
      [finding("books", { revoked: false }, { revoked: true })],
    ],
    [
      "terms of money off by one",
      (b) => [sql("UPDATE ledger.batch_terms SET greatest_discount = 501 WHERE batch = $1", b)],
      [finding("terms", { greatestDiscount: 500 }, { greatestDiscount: 501 })],
    ],
    [
      "a transfer that nobody has made",
      (b) => [sql("INSERT INTO ledger.transfer VALUES ($1, 0, 2, 'debit', 1, 1, 7, 1800000000000)", b)],
      [finding("transfer", null, { kind: "debit", amount: 7 })],
    ],
  ])("finds %s in the books, names it, and it is repaired", async (_, plant, expected) => {
    const { batch, coupons } = await books();
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
    await Promise.all(plant(batch.batchNumber));
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject(expected);
    for (const { serial, couponId } of audit.discrepancies) {
      expect(couponId).toBe(serial === null ? null : coupons[serial]);
    }
    const ids = audit.discrepancies.map((each: { discrepancyId: number }) => each.discrepancyId);
    const posted = await lines(batch);
    await platform.correct(audit.reconciliationId, ids);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean", found: 0 });
    // Lines are added, and none is changed.
    expect((await lines(batch)).slice(0, posted.length)).toEqual(posted);
    await expectBalanced(batch);
    await platform.claim(batch.batchId, "afterwards");
  });

  it("finds a shard that is said to be of another partition, and takes no correction of it", async () => {
    const { batch } = await books();
    const move = (by: number) =>
      sql("UPDATE ledger.shard SET partition = (partition + $2) % 3 WHERE batch = $1", batch.batchNumber, by);
    await move(1);
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject([
      finding("shard", { partition: expect.any(Number) }, { partition: expect.any(Number) }),
    ]);
    const ids = [audit.discrepancies[0].discrepancyId];
    await expect(platform.correct(audit.reconciliationId, ids)).rejects.toThrow(/state_conflict/);
    await move(2);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });

  it("finds a line on one side only of which nothing tells the other, and posts none for it", async () => {
    const { batch } = await books();
    await sql(
      `INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
       SELECT at_ms, number, amount, batch, coupons, shard, 'expire', account, party FROM ledger.posting
       WHERE batch = $1 AND ${issued("liability", 3)}`,
      batch.batchNumber,
    );
    const audit = await platform.audit({ batchId: batch.batchId });
    const ofLine = audit.discrepancies.filter(({ kind }: { kind: string }) => kind === "posting");
    expect(ofLine).toMatchObject([posting({ event: "expire", account: "commitment" }, null, null)]);
    const posted = await lines(batch);
    await expect(platform.correct(audit.reconciliationId, [ofLine[0].discrepancyId])).rejects.toThrow(
      /state_conflict.*don't come to what the coupons say/,
    );
    // Nor does one of something else.
    await platform.correct(
      audit.reconciliationId,
      audit.discrepancies.flatMap((each: { kind: string; discrepancyId: number }) =>
        each.kind === "books" ? each.discrepancyId : [],
      ),
    );
    expect(await lines(batch)).toEqual(posted);
  });

  it("finds rows of a shard that there is no row of", async () => {
    const { batch } = await books();
    await sql(
      "INSERT INTO ledger.account_balance VALUES ($1, 5, 'issue', 'liability', 'platform', 1, 1)",
      batch.batchNumber,
    );
    await sql(
      `INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
       SELECT at_ms, number, amount, batch, coupons, 5, event, account, party FROM ledger.posting
       WHERE batch = $1 AND ${issued("liability", 3)}`,
      batch.batchNumber,
    );
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject([
      { ...finding("shard", null, { tables: ["account_balance", "posting"] }), shard: 5 },
    ]);
    for (const table of ["account_balance", "posting"]) {
      await sql(`DELETE FROM ledger.${table} WHERE batch = $1 AND shard = 5`, batch.batchNumber);
    }
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });

  it("finds a row of a coupon that was never issued", async () => {
    const { batch } = await books();
    await sql(
      `INSERT INTO ledger.coupon SELECT key_hash, issued_at_ms, batch, serial + 1, shard, state, via, user_id, caller_id
       FROM ledger.coupon WHERE batch = $1 ORDER BY serial DESC LIMIT 1`,
      batch.batchNumber,
    );
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject([{ store: "postgresql", kind: "unexpected" }]);
    await platform.correct(audit.reconciliationId, [audit.discrepancies[0].discrepancyId]);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });
});

const lines = async ({ batchNumber }: BatchDefinition) =>
  (await sql("SELECT * FROM ledger.posting WHERE batch = $1 ORDER BY posting_id", batchNumber)).rows;

/** The journal's lines add up to 0, and to the balances. */
async function expectBalanced({ batchNumber }: BatchDefinition): Promise<void> {
  const sumOf = async (table: string) =>
    (
      await sql(
        `SELECT account, sum(amount)::bigint AS amount, sum(coupons)::bigint AS coupons FROM ledger.${table}
         WHERE batch = $1 GROUP BY 1 ORDER BY 1`,
        batchNumber,
      )
    ).rows as { amount: number }[];
  const journal = await sumOf("posting");
  expect(journal.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
  expect(await sumOf("account_balance")).toEqual(journal);
}

const ofRedeem = (account: string) => `event = 'redeem' AND account = '${account}'`;
const issueOf = (serial: number) =>
  `(SELECT DISTINCT number FROM ledger.posting WHERE batch = $1 AND event = 'issue' ORDER BY 1 OFFSET ${serial} LIMIT 1)`;
const issued = (account: string, serial: number) => `account = '${account}' AND number = ${issueOf(serial)}`;
const finding = (kind: string, expected: object | null, found: object | null, serial: number | null = null) => ({
  ...{ store: "postgresql", kind, serial, expected, found },
});
const posting = (expected: object | null, lines: object[] | null, serial: number | null) =>
  finding("posting", expected, { lines }, serial);

/** Takes 1 more off in the redemption of a record. */
async function changeRecord(name: string): Promise<void> {
  const fields = await platform.redis.hgetall(name);
  const [field, value] = Object.entries(fields).find(([each]) => each.startsWith("h:")) ?? ["", ""];
  await platform.redis.hset(name, field, value.replace('{"discount":500', '{"discount":501'));
}

/** As bytes: the client makes texts of a hash's fields. */
const readHash = "return redis.call('HGETALL', KEYS[1])";

/** Changes the slot that holds a serial; null takes it away. */
async function changeSlot(
  batch: BatchDefinition,
  serial: number,
  change: (slot: Buffer) => Buffer | null,
): Promise<void> {
  const wanted = Buffer.from([0, 0, serial]);
  for (const bucket of await platform.redis.keys(key(batch, "u*"))) {
    const flat = (await platform.redis.callBuffer("eval", readHash, 1, bucket)) as Buffer[];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const [field, slot] = [flat[i] as Buffer, flat[i + 1] as Buffer];
      if (!slot.subarray(0, 3).equals(wanted)) continue;
      const changed = change(slot);
      if (changed === null) await platform.redis.hdel(bucket, field);
      else await platform.redis.hset(bucket, field, changed);
      return;
    }
  }
  throw new Error(`no slot has serial ${serial}`);
}

describe("corrections", () => {
  it("of one discrepancy proposed by many at once are one", async () => {
    const { batch } = await books();
    await sql("UPDATE ledger.coupon SET state = 4 WHERE batch = $1 AND serial = 2", batch.batchNumber);
    const { reconciliationId, discrepancies } = await platform.audit({ batchId: batch.batchId });
    const path = `/reconciliations/${reconciliationId}/corrections`;
    const ask = { discrepancyIds: [discrepancies[0].discrepancyId], reason: "a finger slipped" };
    const names = ["olga", "petra", "quinn", "rita", "sven", "tom"];
    const answers = await Promise.all(names.map((name) => platform.world.post(path, ask, name, ["operator"])));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409]);
    const { corrections } = (await platform.world.ops(`/reconciliations/${reconciliationId}`)).body;
    expect(corrections).toHaveLength(1);
  });

  it("are approved by another person, for what is still as it was proposed, and stay on record", async () => {
    const { batch } = await books();
    await sql("UPDATE ledger.coupon SET state = 4 WHERE batch = $1 AND serial = 2", batch.batchNumber);
    const { reconciliationId, discrepancies } = await platform.audit({ batchId: batch.batchId });
    const { world } = platform;
    const path = `/reconciliations/${reconciliationId}/corrections`;
    const ask = { discrepancyIds: [discrepancies[0].discrepancyId], reason: "a finger slipped" };
    expect((await world.post(path, ask, "vera", ["viewer"])).body.code).toBe("role_missing");
    expect((await world.post(path, { ...ask, discrepancyIds: [1e9] }, "olga", ["operator"])).body.code).toBe(
      "request_invalid",
    );
    const proposed = await world.post(path, ask, "olga", ["operator", "approver"]);
    expect([proposed.status, proposed.headers.get("etag")]).toEqual([201, '"1"']);
    expect((await world.post(path, ask, "olga", ["operator"])).body.code).toBe("state_conflict");
    const approve = `${path}/${proposed.body.correctionId}/approve`;
    const approver = ["paul", ["approver"]] as const;
    const post = (who: string, roles: readonly string[], headers?: Record<string, string>) =>
      world.post(approve, undefined, who, [...roles], headers);
    expect((await post("olga", ["operator", "approver"], { "if-match": '"1"' })).body.code).toBe("self_approval");
    expect((await post(...approver)).body.code).toBe("precondition_required");
    expect((await post(...approver, { "if-match": '"7"' })).body.code).toBe("precondition_failed");
    expect((await post(...approver, { "if-match": '"1"' })).body).toMatchObject({
      state: "approved",
      approvedBy: "paul",
    });
    expect((await post(...approver, { "if-match": '"1"' })).status).toBe(200);
    const kept = await eventually(
      async () => {
        const { body } = await world.ops(`/reconciliations/${reconciliationId}`);
        return body.corrections[0].state === "applied" ? body.corrections[0] : false;
      },
      { timeoutMs: 20_000 },
    );
    expect(kept).toMatchObject({ proposedBy: "olga", approvedBy: "paul", reason: "a finger slipped", serials: [2] });
    const { rows } = await sql(
      "SELECT number, reason, proposed_by, approved_by FROM ledger.correction WHERE batch = $1",
      batch.batchNumber,
    );
    expect(rows).toEqual([
      { number: kept.number, reason: "a finger slipped", proposed_by: "olga", approved_by: "paul" },
    ]);
    // An audit of the shard follows by itself.
    await eventually(
      async () => {
        const { items } = (await world.ops("/reconciliations")).body;
        return items.some(
          (each: { trigger: string; startedBy: string; state: string }) =>
            each.trigger === "correction" && each.startedBy === kept.correctionId && each.state === "clean",
        );
      },
      { timeoutMs: 30_000 },
    );
  });

  it("of Redis wait for PostgreSQL's, from which it is built", async () => {
    const { batch } = await books();
    await sql("DELETE FROM ledger.coupon WHERE batch = $1 AND serial = 1", batch.batchNumber);
    await changeSlot(batch, 3, () => null);
    const audit = await platform.audit({ batchId: batch.batchId });
    const idOf = (store: string) =>
      audit.discrepancies.find((each: { store: string }) => each.store === store).discrepancyId as number;
    await expect(platform.correct(audit.reconciliationId, [idOf("redis"), idOf("postgresql")])).rejects.toThrow(
      /request_invalid/,
    );
    await expect(platform.correct(audit.reconciliationId, [idOf("redis")])).rejects.toThrow(/state_conflict/);
    await platform.correct(audit.reconciliationId, [idOf("postgresql")]);
    const next = await platform.audit({ batchId: batch.batchId });
    expect(next.discrepancies).toMatchObject([{ store: "redis", kind: "missing", serial: 3 }]);
    await platform.correct(next.reconciliationId, [next.discrepancies[0].discrepancyId]);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });
});
