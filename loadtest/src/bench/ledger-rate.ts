import { setTimeout as sleep } from "node:timers/promises";
import { createPool, ledgerSettings, migrate, type Pool, readBatchTerms } from "@coupon/database";
import { readLogEnds } from "@coupon/demo";
import { TermsBook } from "@coupon/ledger/src/posting/terms.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, untilQuiet } from "./context.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { LedgerBaseline } from "./ledger-baseline.ts";
import { type Measure, toMeasure } from "./measures.ts";

/** Kafka takes a consumer that is silent for 8 s for dead: the ledger is held for less, so that it needs no rejoining. */
const heldMsMax = 5_000;
const grantsAtOnce = 20_000;
const coupons = 400_000;
const appliedWithinMs = 120_000;

/**
 * Holds the ledger's process still while the log fills, lets it go, and times it from its first commit to its last;
 * against the same rows of the same messages written by the same statements, in transactions of the same size, alone.
 */
export async function measureLedger(context: BenchContext): Promise<Measure> {
  const { local, desk, reader, progress } = context;
  const batch = await makeBatch(desk, "ledger", { total: 100_000_000, perUser: 1 });
  await reader.connect();
  const databaseUrl = new URL(local.addresses.databaseUrl);
  databaseUrl.pathname += "_alone";
  await migrate({ databaseUrl: databaseUrl.href });
  const options = { statementTimeoutMs: 60_000, connectionTimeoutMs: 5_000, settings: ledgerSettings };
  const pool = createPool({ ...options, databaseUrl: databaseUrl.href, max: 4 });
  const terms = new TermsBook();
  const baseline = new LedgerBaseline(pool, reader, terms);
  const samples: number[] = [];
  let note = "";
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      await untilQuiet(context);
      const from = await readLogEnds(reader, local.log.partitions);
      const service = await rateOfService(context, batch.batchId, batch.batchNumber, round);
      const to = await readLogEnds(reader, local.log.partitions);
      await untilQuiet(context);
      terms.load(await readBatchTerms(context.pool));
      const alone = await baseline.measure(from, to);
      samples.push(service / alone);
      const rate = (it: number) => `${Math.round(it).toLocaleString("en-US")} rows/s`;
      note = `last round: ${rate(service)} from log to commit, ${rate(alone)} by the statements alone`;
      progress(`ledger, round ${round + 1}: ${note}`);
    }
  } finally {
    await pool.end();
  }
  return toMeasure("ledger", samples, note);
}

async function rateOfService(
  context: BenchContext,
  batchId: string,
  batchNumber: number,
  round: number,
): Promise<number> {
  const pids = [context.local.stack.pids().ledger ?? []].flat();
  const run = `${Date.now().toString(36)}-${round}`;
  const heldAt = performance.now();
  let granted = 0;
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  try {
    for (; granted < coupons && performance.now() - heldAt < heldMsMax; granted += grantsAtOnce) {
      await grantCoupons(context, batchId, `${run}-${granted}`, grantsAtOnce);
    }
  } finally {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  }
  return timeApplying(context.pool, batchNumber, granted);
}

/** Rows a second from the first look that finds something applied to the one that finds everything. */
async function timeApplying(pool: Pool, batchNumber: number, granted: number): Promise<number> {
  const before = await issuedRows(pool, batchNumber);
  const goal = before + granted;
  const deadline = performance.now() + appliedWithinMs;
  let first: { at: number; rows: number } | undefined;
  while (performance.now() < deadline) {
    const rows = await issuedRows(pool, batchNumber);
    const at = performance.now();
    if (rows > before) first ??= { at, rows };
    if (rows >= goal && first !== undefined) return ((rows - first.rows) * 1_000) / (at - first.at);
    await sleep(5);
  }
  throw new Error("ledger could not be measured: what was granted is not applied in time");
}

async function issuedRows(pool: Pool, batchNumber: number): Promise<number> {
  const { rows } = await pool.query<{ issued: number }>(
    "SELECT coalesce(sum(issued), 0)::bigint AS issued FROM ledger.shard WHERE batch = $1",
    [batchNumber],
  );
  return rows[0]?.issued ?? 0;
}
