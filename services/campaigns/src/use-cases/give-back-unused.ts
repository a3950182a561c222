import type { ManagementTransaction } from "@coupon/database/prisma";
import { greatestDiscount, parseInstant, stillNeeded } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import { insertAudit } from "../stores/audits.ts";
import { type BatchRecord, findBatch, lockBatch, replaceBatch } from "../stores/batches.ts";
import { reservedFor } from "../stores/budgets.ts";
import type { BatchUse } from "../stores/ledger-stats.ts";
import { done, type Outcome, transact } from "../stores/transact.ts";
import { auditView, hold, PLATFORM, publish, succeed } from "./batch-changes.ts";

/** Between two attempts to make certain what has expired. */
const CLOSE_AGAIN_MS = 3_600_000;

/**
 * Gives the campaign's budget back what a batch holds of it and will never use: what is reserved, less what is spent,
 * less the outstanding liability of everything that may still be issued or redeemed ({@link stillNeeded}). What a
 * batch needs only ever becomes less, so figures of any age are safe, and giving back twice gives back nothing.
 *
 * Where a batch is over by the clock, but a silent shard has said nothing since, an earlier entry might still come.
 * So a batch that has ended is published once more: every shard then states its time in the log, in an entry of its
 * own, and nothing from before it can follow.
 *
 * Refused: `ledger_unavailable`.
 *
 * @throws what the database throws; nothing is half done
 * @returns what was given back, in minor units
 */
export async function giveBackUnused(resources: Resources, batchId: string): Promise<Outcome<number>> {
  const { prisma, ledger, metrics, now } = resources;
  const found = await findBatch(prisma, batchId);
  if (found === null || found.publishedVersion === null) return done(0);
  const use = await ledger.use(found.batchNumber);
  if (use.kind === "refused") return use;
  const settled = await transact(prisma, async (tx) => {
    const batch = await lockBatch(tx, batchId);
    // The stock that a decrease asks back is not settled yet: it may have to be issued after all.
    if (batch === null || batch.frozen === null || batch.decrease !== null) return done({ unused: 0, closed: false });
    const unused = await giveBack(tx, batch, use.result, now());
    const closed = isInDoubt(batch, use.result, now()) && (await close(tx, batch, now()));
    return done({ unused, closed });
  });
  if (settled.kind === "refused") return settled;
  const { unused, closed } = settled.result;
  if (unused > 0) metrics.givenBack.inc();
  if (unused < 0) metrics.budgetShort.inc();
  if (closed) resources.publisher.kick();
  return done(unused);
}

async function giveBack(tx: ManagementTransaction, batch: BatchRecord, use: BatchUse, at: Date): Promise<number> {
  const { batchId, frozen, stock } = batch;
  if (frozen === null) return 0;
  const reserved = await reservedFor(tx, batchId);
  const unissued = use.ended ? 0 : Math.max(0, stock.total - use.issued);
  const unused = reserved - stillNeeded({ ...use, unissued }, greatestDiscount(frozen.template));
  if (unused <= 0) return unused;
  if (!(await hold(tx, batch, -unused, at))) throw new Error(`batch ${batchId} could not give back ${unused}`);
  await insertAudit(tx, {
    ...{ at, actor: PLATFORM, action: "give_back_unused", resourceKind: "batch", resourceId: batchId },
    ...{ version: null, request: { reserved, unissued, ...use, givenBack: unused }, before: null, after: null },
  });
  return unused;
}

function isInDoubt(
  { state, updatedAt, publishedVersion, confirmedVersion }: BatchRecord,
  use: BatchUse,
  at: Date,
): boolean {
  if (state !== "ended" && state !== "deactivated") return false;
  if (use.doubtfulUntil === null || use.waiting > 0 || publishedVersion !== confirmedVersion) return false;
  const doubtfulUntilMs = parseInstant(use.doubtfulUntil) ?? 0;
  return (
    at.getTime() >= doubtfulUntilMs && updatedAt.getTime() < Math.max(doubtfulUntilMs, at.getTime() - CLOSE_AGAIN_MS)
  );
}

/** Publishes a batch once more, as it is; false where it has changed meanwhile. */
async function close(tx: ManagementTransaction, batch: BatchRecord, at: Date): Promise<boolean> {
  const next = succeed(batch, batch, at);
  if (!(await replaceBatch(tx, batch.version, next))) return false;
  await insertAudit(tx, {
    ...{ at, actor: PLATFORM, action: "close", resourceKind: "batch", resourceId: batch.batchId },
    ...{ version: next.version, request: null, before: auditView(batch), after: auditView(next) },
  });
  await publish(tx, next, at);
  return true;
}
