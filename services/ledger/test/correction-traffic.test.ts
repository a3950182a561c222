import { sweepShard } from "@coupon/database";
import type { BatchDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EventLines } from "../src/posting/event-lines.ts";
import { TermsBook } from "../src/posting/terms.ts";
import { Platform } from "./support/platform.ts";

/** Real issuing, Redis, Kafka and PostgreSQL. */
let platform: Platform;

beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform.close());

const sql = (text: string, ...values: unknown[]) => platform.world.pool.query(text, values);

async function claims(batchId: string, name: string, isOver: () => boolean): Promise<void> {
  for (let user = 0; !isOver(); user += 1) await platform.client.claim(batchId, { userId: `${name}-${user}` });
}

/** Sweeps coupon by coupon, as fast as it goes, as if each were over as soon as it is issued. */
async function sweeps(definition: BatchDefinition, isOver: () => boolean): Promise<number> {
  const book = new TermsBook();
  book.put(definition);
  const terms = book.of(definition.batchNumber);
  if (terms === undefined) throw new Error("there are no terms");
  let swept = 0;
  while (!isOver()) {
    const sweeping = await sweepShard(platform.world.pool, {
      ...{ batch: definition.batchNumber, shard: 0, limit: 1, silent: null },
      firstLiveIssueMs: () => Number.MAX_SAFE_INTEGER,
      lines(number, coupons) {
        const lines = new EventLines({ batch: definition.batchNumber, shard: 0, number, atMs: Date.now() }, terms);
        lines.release("expire", coupons);
        return lines.written([]);
      },
    });
    swept += sweeping.swept;
  }
  return swept;
}

it("a correction of books is made while its shard is claimed from and swept without a pause", async () => {
  const batch = await platform.batch(1, { stock: { total: 1_000_000, perUser: 5 } });
  let over = false;
  const crowds = Promise.all([
    ...Array.from({ length: 12 }, (_, index) => claims(batch.batchId, `crowd-${index}`, () => over)),
  ]);
  const sweeping = sweeps(batch, () => over);
  try {
    await eventually(
      async () => ((await sql("SELECT swept FROM ledger.shard_books WHERE batch = 1")).rows[0]?.swept ?? 0) > 500,
      { timeoutMs: 30_000 },
    );
    await sql(
      `UPDATE ledger.posting SET amount = amount - 1 WHERE posting_id = (SELECT posting_id FROM ledger.posting
         WHERE batch = 1 AND event = 'issue' AND account = 'liability' ORDER BY posting_id LIMIT 1)`,
    );
    const audit = await platform.audit({ batchId: batch.batchId });
    const ofLine = audit.discrepancies.find(({ kind }: { kind: string }) => kind === "posting");
    await platform.correct(audit.reconciliationId, [ofLine.discrepancyId]);
  } finally {
    over = true;
  }
  await crowds;
  expect(await sweeping).toBeGreaterThan(500);
  expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean", found: 0 });
  // Not once did it have to begin again.
  const { text } = await platform.world.get("/metrics");
  expect(text).toMatch(/^reconciliation_correction_retries_total\S* 0$/m);
}, 120_000);
