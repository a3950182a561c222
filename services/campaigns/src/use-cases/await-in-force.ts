import { type InForce, shortSince } from "../publishing/confirmations.ts";
import type { Resources } from "../resources.ts";
import { type BatchRecord, findBatch, lockBatch } from "../stores/batches.ts";
import { isWaiting } from "../stores/publications.ts";
import { done, inDoubt, type Outcome, refused, transact } from "../stores/transact.ts";
import type { Applied } from "./apply-change.ts";
import { publish } from "./batch-changes.ts";
import { settleInForce } from "./settle-decrease.ts";

/**
 * Turns a recorded change of a batch into its answer: at once where the batch is not published, else when
 * the change is in force on every shard. Refused, with the change on record and on its way: `log_unavailable`
 * while it could not be published, `shard_recovering` while a shard has not confirmed it; and
 * `stock_changed` where the shards could not give back what a decrease asked for, so that it was undone.
 */
export async function awaitInForce(
  resources: Resources,
  action: string,
  applied: Outcome<Applied<BatchRecord>>,
): Promise<Outcome<BatchRecord>> {
  if (applied.kind === "refused") return applied;
  const { record: batch, changed } = applied.result;
  if (batch.publishedVersion === null || isConfirmed(batch)) return done(batch);
  const startedMs = performance.now();
  const { confirmations, publisher, settings, metrics } = resources;
  // Waited for before anything is awaited, so that no confirmation can slip through in between.
  const waiting = confirmations.wait(batch.batchId, batch.version, settings.confirmTimeoutMs);
  if (!changed) await publishAgain(resources, batch.batchId);
  publisher.kick();
  const inForce = await waiting;
  const seconds = (performance.now() - startedMs) / 1_000;
  metrics.confirmationSeconds.observe({ action, result: inForce === null ? "late" : "in_force" }, seconds);
  return inForce === null ? await late(resources, batch) : await settled(resources, batch, inForce);
}

function isConfirmed({ version, confirmedVersion, decrease }: BatchRecord): boolean {
  return decrease === null && confirmedVersion !== null && confirmedVersion >= version;
}

/** Publishes a batch as it is: owners confirm again what they see again, for when a confirmation was missed. */
export async function publishAgain({ prisma, now }: Resources, batchId: string): Promise<void> {
  await transact(prisma, async (tx) => {
    // Locked, so that the outbox never gets a version after a newer one.
    const batch = await lockBatch(tx, batchId);
    if (batch !== null && !(await isWaiting(tx, batchId))) await publish(tx, batch, now());
    return done(null);
  });
}

async function settled(resources: Resources, batch: BatchRecord, inForce: InForce): Promise<Outcome<BatchRecord>> {
  await settleInForce(resources, inForce);
  const { decrease, version } = batch;
  // The decrease may be another operator's, whose call gets that answer.
  const short = decrease?.version === version ? shortSince(inForce, version) : 0;
  if (decrease === null || short === 0) return done({ ...batch, confirmedVersion: inForce.version });
  resources.publisher.kick();
  const detail = `The shards have issued ${short} of what was to be taken back: the total is ${decrease.from} again.`;
  return refused({ code: "stock_changed", detail });
}

async function late({ prisma, settings }: Resources, batch: BatchRecord): Promise<Outcome<BatchRecord>> {
  const { batchId, version } = batch;
  const current = await findBatch(prisma, batchId);
  if (current?.version === version && isConfirmed(current)) return done(current);
  const waited = `within ${settings.confirmTimeoutMs / 1_000} s`;
  const recorded = `It is on record as version ${version} and will be in force: send the same request again to wait for it.`;
  if (await isWaiting(prisma, batchId)) {
    return inDoubt({ code: "log_unavailable", detail: `The log has not taken the change ${waited}. ${recorded}` });
  }
  const detail = `Not every shard has confirmed the change ${waited}. ${recorded}`;
  return inDoubt({ code: "shard_recovering", detail });
}
