import { setTimeout as sleep } from "node:timers/promises";
import { signTokens } from "@coupon/demo";
import { makeBatch } from "./batches.ts";
import { type BenchContext, untilQuiet } from "./context.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { type Measure, toMeasure } from "./measures.ts";

const coupons = 3_000_000;
const couponsAtOnce = 100_000;
const auditedWithinMs = 900_000;

interface Run {
  reconciliationId: string;
  state: string;
  finishedAt: string | null;
  coupons: number;
  found: number;
  detail: string | null;
}

/** Seconds from asking for an audit of a batch of 3 million coupons until it has ended, and found nothing. */
export async function measureAudit(context: BenchContext): Promise<Measure> {
  const batch = await makeBatch(context.desk, "audit", { total: coupons, perUser: 1 });
  for (let from = 0; from < coupons; from += couponsAtOnce) {
    await grantCoupons(context, batch.batchId, `audit-${from}`, couponsAtOnce);
    context.progress(`audit: ${(from + couponsAtOnce).toLocaleString("en-US")} coupons`);
  }
  await untilQuiet(context);
  const startedAt = performance.now();
  const run = await audit(context, batch.batchId);
  const seconds = (performance.now() - startedAt) / 1_000;
  if (run.state !== "clean" || run.coupons !== coupons) {
    throw new Error(`audit could not be measured: ${JSON.stringify(run)}`);
  }
  return toMeasure(
    "audit",
    [seconds],
    `${coupons.toLocaleString("en-US")} coupons in Redis, log and PostgreSQL, none off`,
  );
}

async function audit({ local }: BenchContext, batchId: string): Promise<Run> {
  const { operatorToken } = await signTokens(local.stack);
  const ask = async (method: string, path: string, body?: object): Promise<Run> => {
    const answer = await fetch(`${local.urls.ledger}/ops/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${operatorToken}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`The ledger answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Run;
  };
  const { reconciliationId } = await ask("POST", "/reconciliations", { batchId });
  const deadline = performance.now() + auditedWithinMs;
  while (performance.now() < deadline) {
    const run = await ask("GET", `/reconciliations/${reconciliationId}`);
    if (run.finishedAt !== null) return run;
    await sleep(100);
  }
  throw new Error(`The audit did not end within ${auditedWithinMs} ms`);
}
