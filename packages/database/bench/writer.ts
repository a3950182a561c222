import { NO_TOTALS } from "@coupon/domain";
import {
  CouponCopy,
  createPool,
  createPositions,
  type FactRows,
  ledgerSettings,
  noPostings,
  type ShardAdvance,
  writeEntries,
} from "../src/index.ts";
import { createTestDatabase } from "../src/testing.ts";

/**
 * Rows a second of the bulk writer against an empty, migrated database: `node bench/writer.ts [rows]` with
 * DATABASE_URL naming a server on which databases may be created.
 */
const total = Number(process.argv[2] ?? 200_000);
const repeats = 3;

const noFacts = (): FactRows => ({
  states: [],
  holds: [],
  holdsEnded: [],
  redemptions: [],
  reversals: [],
  releases: [],
  deactivations: [],
  rules: [],
  transfers: [],
  corrections: [],
});

async function measure(rowsPerTransaction: number, connections: number): Promise<number> {
  await using database = await createTestDatabase();
  const pool = createPool({
    databaseUrl: database.databaseUrl,
    max: connections,
    statementTimeoutMs: 60_000,
    connectionTimeoutMs: 5_000,
    settings: ledgerSettings,
  });
  try {
    await createPositions(
      pool,
      Array.from({ length: connections }, (_, n) => n),
    );
    const share = Math.ceil(total / connections / rowsPerTransaction);
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: connections }, async (_, partition) => {
        const coupons = new CouponCopy();
        for (let n = 0; n < share; n++) {
          encode(coupons, partition, n * rowsPerTransaction, rowsPerTransaction);
          const shards = [advance(partition, n, rowsPerTransaction)];
          const positions = [{ partition, from: n, to: n + 1, epoch: 0 }];
          await writeEntries(pool, { positions, shards, coupons, facts: noFacts(), postings: noPostings });
        }
      }),
    );
    return (share * connections * rowsPerTransaction) / ((performance.now() - startedAt) / 1_000);
  } finally {
    await pool.end();
  }
}

function encode(coupons: CouponCopy, shard: number, first: number, count: number): void {
  coupons.clear();
  const atMs = 1_800_000_000_000 + first;
  for (let serial = first; serial < first + count; serial++) {
    const scattered = (Math.imul(serial, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
    coupons.add(7, shard, atMs, [serial, `user-${scattered}`, "clr_bench", `${scattered}${scattered}`, "g"]);
  }
}

function advance(shard: number, number: number, issued: number): ShardAdvance {
  return {
    batch: 7,
    shard,
    partition: shard,
    number,
    hash: "ab".repeat(20),
    atMs: 1_800_000_000_000,
    issued,
    day: { startMs: 1, issued },
    ...NO_TOTALS,
    rules: null,
  };
}

console.log(`${total} coupons a run, best and worst of ${repeats}, Node ${process.version}`);
console.log("rows a transaction | connections | rows a second");
for (const rowsPerTransaction of [10, 100, 1_000, 5_000]) {
  for (const connections of [1, 2, 3]) {
    const rates: number[] = [];
    for (let n = 0; n < repeats; n++) rates.push(Math.round(await measure(rowsPerTransaction, connections)));
    console.log(`${rowsPerTransaction} | ${connections} | ${Math.max(...rates)} (${Math.min(...rates)})`);
  }
}
