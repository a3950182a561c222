import { createPool, createPositions, ledgerSettings, noPostings, type Pool, writeEntries } from "@coupon/database";
import { createTestDatabase } from "@coupon/database/testing";
import type { IssueItem } from "@coupon/domain";
import { LedgerRows } from "../src/applying/ledger-rows.ts";
import { TermsBook } from "../src/posting/terms.ts";

/**
 * What postings cost the bulk writer: `node bench/postings.ts [coupons]` with DATABASE_URL naming a server on which
 * databases may be created. Issues alone, one shard to a partition, transactions of 5,000 coupons, three at once;
 * with and without postings, in turns, by how many coupons an entry carries and how many parties pay.
 */
const total = Number(process.argv[2] ?? 300_000);
const rowsPerTransaction = 5_000;
const lanes = 3;
const rounds = 3;
const batch = 7;

function termsWith(parties: number): TermsBook {
  const terms = new TermsBook();
  const share = 10_000 / parties;
  terms.load([
    {
      ...{ batch, batchId: "bat_7", campaignId: "cmp_1", currency: "CNY", greatestDiscount: 500 },
      funding: Array.from({ length: parties }, (_, index) => ({ party: `party-${index}`, basisPoints: share })),
      ...{ validity: { days: 30, mode: "calendar" }, timeZone: "Asia/Shanghai" },
    },
  ]);
  return terms;
}

async function rateOf(pool: Pool, terms: TermsBook, entrySize: number, posting: boolean): Promise<number> {
  const perLane = Math.ceil(total / lanes / rowsPerTransaction);
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async (_, shard) => {
      let serial = 0;
      let number = 0;
      for (let n = 0; n < perLane; n += 1) {
        const rows = new LedgerRows(terms);
        rows.advance({ partition: shard, from: n, to: n + 1, epoch: 0 });
        while (rows.rows < rowsPerTransaction) {
          number += 1;
          const at = 1_800_000_000_000 + n;
          const items = Array.from({ length: entrySize }, (): IssueItem => {
            serial += 1;
            return [serial, `user-${shard}-${serial}`, "shop", serial.toString(16).padStart(16, "0"), "c"];
          });
          rows.add(shard, { v: 1, kind: "issue", batch, shard, number, at, prev: "", day: 0, items }, "ab".repeat(20));
        }
        const write = rows.write();
        await writeEntries(pool, posting ? write : { ...write, postings: noPostings });
      }
    }),
  );
  return (perLane * lanes * rowsPerTransaction * 1_000) / (performance.now() - startedAt);
}

async function measure(terms: TermsBook, entrySize: number, posting: boolean): Promise<number> {
  await using database = await createTestDatabase();
  const options = { databaseUrl: database.databaseUrl, max: lanes, settings: ledgerSettings };
  const pool = createPool({ ...options, statementTimeoutMs: 60_000, connectionTimeoutMs: 5_000 });
  try {
    await createPositions(pool, [0, 1, 2]);
    return await rateOf(pool, terms, entrySize, posting);
  } finally {
    await pool.end();
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

for (const [entrySize, parties] of [
  [500, 1],
  [100, 1],
  [100, 4],
  [10, 1],
] as const) {
  const terms = termsWith(parties);
  const rates: { with: number[]; without: number[] } = { with: [], without: [] };
  for (let round = 0; round < rounds; round += 1) {
    rates.without.push(await measure(terms, entrySize, false));
    rates.with.push(await measure(terms, entrySize, true));
  }
  const [plain, posted] = [median(rates.without), median(rates.with)];
  const ratio = (posted / plain).toFixed(2);
  const figure = (rate: number) => Math.round(rate).toLocaleString("en-US");
  console.log(
    `${entrySize} coupons an entry, ${parties} parties: ${figure(posted)} rows/s with postings, ${figure(plain)} without: ${ratio}`,
  );
}
