import type { BatchDefinition } from "@coupon/domain";
import { describe, expect, it } from "vitest";
import { books, platform, proven, sql } from "./support/planted-drifts.ts";

describe("the audit of the books", () => {
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
    ...[5, 1_000_000_000].map((beyond): [string, (batch: number) => Promise<unknown>[], object[]] => [
      `a line of an entry ${beyond} beyond the last`,
      (b) => [
        sql(
          `UPDATE ledger.posting SET number = ${beyond} + (SELECT number FROM ledger.shard WHERE batch = $1)
           WHERE batch = $1 AND ${issued("liability", 3)}`,
          b,
        ),
      ],
      [
        posting({ event: "issue", account: "liability", amount: -500, coupons: 1 }, null, 3),
        posting(null, [{ number: expect.any(Number), event: "issue", account: "liability" }], null),
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

  it("finds a shard that is said to be of another partition, and it is repaired", async () => {
    const { batch } = await books();
    const placed = async () =>
      (await sql("SELECT partition FROM ledger.shard WHERE batch = $1", batch.batchNumber)).rows;
    const before = await placed();
    await sql("UPDATE ledger.shard SET partition = (partition + 1) % 3 WHERE batch = $1", batch.batchNumber);
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject([
      finding("shard", { partition: expect.any(Number) }, { partition: expect.any(Number) }),
    ]);
    await platform.correct(audit.reconciliationId, [audit.discrepancies[0].discrepancyId]);
    expect(await placed()).toEqual(before);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
    await proven();
    await platform.claim(batch.batchId, "afterwards");
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
    const ids = [audit.discrepancies[0].discrepancyId];
    await expect(platform.correct(audit.reconciliationId, ids)).rejects.toThrow(/state_conflict.*no entry could carry/);
    for (const table of ["account_balance", "posting"]) {
      await sql(`DELETE FROM ledger.${table} WHERE batch = $1 AND shard = 5`, batch.batchNumber);
    }
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
