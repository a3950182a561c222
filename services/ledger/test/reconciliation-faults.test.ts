import { createFaultProxy, eventually, type FaultProxy } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { Platform } from "./support/platform.ts";

/** Real issuing, Redis, Kafka and PostgreSQL; only the ledger's wire to PostgreSQL can be spoiled. */
let platform: Platform;
let proxy: FaultProxy;
let batchNumber = 0;

beforeAll(async () => {
  proxy = await createFaultProxy({ host: "127.0.0.1", port: 1 });
  platform = await Platform.start(1, ({ database }) => {
    const url = new URL(database.databaseUrl);
    proxy.retarget({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    return { DATABASE_URL: url.href, RECONCILIATION_TIMEOUT_MS: "1000", PROOF_EVERY_MS: "100" };
  });
});
afterEach(() => proxy.heal());
afterAll(async () => {
  await platform.close();
  await proxy.close();
});

const rows = async (text: string, ...values: unknown[]) => (await platform.world.pool.query(text, values)).rows;
const runsOf = (trigger: string) =>
  rows("SELECT state, detail FROM ledger.reconciliation WHERE trigger = $1 ORDER BY created_at", trigger);

async function failedAudits(): Promise<number> {
  const { text } = await platform.world.get("/metrics");
  return Number(/reconciliation_audits_total\{.*state="failed".*\} (\d+)/.exec(text)?.[1] ?? 0);
}

async function provenBatch(): Promise<string> {
  batchNumber += 1;
  const { batchId } = await platform.batch(batchNumber);
  await eventually(async () => {
    const { shards, proven } = await platform.proof();
    return shards === batchNumber && proven === shards;
  });
  return batchId;
}

/** Freezes PostgreSQL, for the ledger, until an audit that is under way has given it up. */
async function freezeUntilFailed(): Promise<void> {
  const before = await failedAudits();
  proxy.pause();
  await eventually(async () => (await failedAudits()) > before);
  proxy.heal();
}

it("an audit that a frozen PostgreSQL keeps waiting ends as failed, and says why", async () => {
  const batchId = await provenBatch();
  // Slow enough that the audit is not over before the wire freezes.
  proxy.delay(50);
  const started = await platform.world.post("/reconciliations", { batchId }, "olga", ["operator"]);
  expect(started.status).toBe(201);
  await freezeUntilFailed();
  const audit = await platform.ended(started.body.reconciliationId);
  expect(audit).toMatchObject({ state: "failed", detail: expect.stringMatching(/^PostgreSQL did not answer: /) });
  expect(await platform.audit({ batchId })).toMatchObject({ state: "clean" });
});

it("a drift whose audit failed is audited again until an audit has run", async () => {
  await provenBatch();
  proxy.delay(50);
  await rows("UPDATE ledger.shard SET discounted = discounted - 1 WHERE batch = $1", batchNumber);
  await eventually(async () => (await runsOf("proof")).length === 1);
  await freezeUntilFailed();
  await eventually(async () => (await runsOf("proof")).at(-1)?.state === "discrepant", { timeoutMs: 30_000 });
  expect((await runsOf("proof")).at(0)).toMatchObject({ state: "failed" });
});
