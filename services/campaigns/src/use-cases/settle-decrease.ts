import type { ManagementTransaction } from "@coupon/database/prisma";
import { greatestDiscount } from "@coupon/domain";
import { type InForce, shortSince } from "../publishing/confirmations.ts";
import type { Resources } from "../resources.ts";
import { insertAudit } from "../stores/audits.ts";
import { type BatchRecord, closeDecrease, confirmVersion, lockBatch, replaceBatch } from "../stores/batches.ts";
import { done, transact } from "../stores/transact.ts";
import { auditView, hold, PLATFORM, publish, succeed } from "./batch-changes.ts";

/**
 * Records that a version is in force on every shard, and settles a decrease of the stock that it carries:
 * where the shards gave all of it, the budget gets its part back; where they could not, for they have issued
 * it, the total becomes what it was, as a new version. May be repeated, and run in several processes at
 * once: each decrease is settled by one of them, whatever operators change meanwhile.
 *
 * @throws what the database throws; nothing is half done, and the same call may be made again
 */
export async function settleInForce(resources: Pick<Resources, "prisma" | "now">, inForce: InForce): Promise<void> {
  const { batchId, version } = inForce;
  await transact(resources.prisma, async (tx) => {
    const batch = await lockBatch(tx, batchId);
    if (batch === null) return done(null);
    await confirmVersion(tx, batchId, version);
    if (batch.decrease === null || batch.decrease.version > version) return done(null);
    const shortBy = shortSince(inForce, batch.decrease.version);
    if (shortBy === 0) await giveBack(tx, batch, resources.now());
    else await restore(tx, batch, shortBy, resources.now());
    return done(null);
  });
}

/** Makes a batch's total what it was before a decrease of which nobody knows what the shards said. */
export async function undoDecrease(
  { now }: Pick<Resources, "now">,
  tx: ManagementTransaction,
  batchId: string,
): Promise<void> {
  const batch = await lockBatch(tx, batchId);
  if (batch !== null && batch.decrease !== null) await restore(tx, batch, null, now());
}

async function giveBack(tx: ManagementTransaction, batch: BatchRecord, at: Date): Promise<void> {
  const { batchId, decrease, stock, frozen } = batch;
  if (decrease === null || frozen === null) return;
  await closeDecrease(tx, batchId, decrease.version);
  const amount = (decrease.from - stock.total) * greatestDiscount(frozen.template);
  if (!(await hold(tx, batch, -amount, at))) throw new Error(`batch ${batchId} could not give back ${amount}`);
  await insertAudit(tx, {
    ...{ at, actor: PLATFORM, action: "settle_stock_decrease", resourceKind: "batch", resourceId: batchId },
    ...{ version: null, request: { decrease, givenBack: amount }, before: null, after: null },
  });
}

async function restore(tx: ManagementTransaction, batch: BatchRecord, shortBy: number | null, at: Date): Promise<void> {
  const { batchId, decrease } = batch;
  if (decrease === null) return;
  const stock = { ...batch.stock, total: decrease.from };
  const next = succeed(batch, { ...batch, stock, decrease: null }, at);
  if (!(await replaceBatch(tx, batch.version, next, null))) throw new Error(`batch ${batchId} changed under a lock`);
  await insertAudit(tx, {
    ...{ at, actor: PLATFORM, action: "restore_stock", resourceKind: "batch", resourceId: batchId },
    ...{ version: next.version, request: { decrease, shortBy }, before: auditView(batch), after: auditView(next) },
  });
  await publish(tx, next, at);
}
