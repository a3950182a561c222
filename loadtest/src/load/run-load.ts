import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ManagedBatch, OperatorClient } from "@coupon/client";
import { createPool, type Pool } from "@coupon/database";
import { type CampaignPlan, checkout, KnownIds, readLogEnds, setUpCampaign, untilApplied } from "@coupon/demo";
import type { Template } from "@coupon/domain";
import { createLogReader } from "@coupon/events";
import { findK6 } from "./install/k6.ts";
import { judgeBatch } from "./judge-batch.ts";
import { type LoggedRequest, readRequests } from "./logged-request.ts";
import { type Profile, profileFile } from "./profile.ts";
import type { ScenarioSettings } from "./scenario/settings.ts";
import type { LoadTarget } from "./target.ts";
import type { Verdict } from "./verdict.ts";

export interface LoadResult {
  thresholdsHeld: boolean;
  verdict: Verdict;
  /** Where the log of requests and k6's summary are. */
  folder: string;
}

const productId = "product-1";
const greatestDiscount = 100;
const appliedWithinMs = 300_000;
/** Exit status of k6 where a threshold did not hold. */
const thresholdsFailed = 99;

/** Makes a batch for the run, lets k6 load it, and judges every request against PostgreSQL. */
export async function runLoad(
  target: LoadTarget,
  profileName: string,
  profile: Profile,
  say: (text: string) => void,
): Promise<LoadResult> {
  const k6 = await findK6((what) => say(`Installing ${what}.`));
  const runId = `${profileName}-${Date.now().toString(36)}`;
  const folder = join(checkout, ".local", "load", runId);
  mkdirSync(folder, { recursive: true });
  const batch = await makeBatch(target, profile, runId, folder);
  const { id: _, keyId, secret } = target.caller;
  const settings: ScenarioSettings = {
    issuing: target.issuing,
    batchId: batch.batchId,
    keyId,
    secret,
    runId,
    productId,
    summaryFile: join(folder, "summary.json"),
  };
  const status = await runK6(k6, profileName, settings, folder);
  if (status !== 0 && status !== thresholdsFailed) throw new Error(`k6 failed with exit status ${status}`);
  saySummary(settings.summaryFile, say);
  const requests = await readRequests(join(folder, "requests.log"));
  if (requests.length === 0) throw new Error("k6 made no request");
  const verdict = await judgeAgainstPostgres(target, batch, requests, profile);
  return { thresholdsHeld: status === 0, verdict, folder };
}

async function makeBatch(target: LoadTarget, profile: Profile, runId: string, folder: string): Promise<ManagedBatch> {
  const operator = new OperatorClient({ baseUrl: target.campaigns, token: target.operatorToken });
  const approver = new OperatorClient({ baseUrl: target.campaigns, token: target.approverToken });
  const now = Date.now();
  const window = { from: new Date(now - 3_600_000).toISOString(), until: new Date(now + 86_400_000).toISOString() };
  const template: Template = {
    name: runId,
    benefit: { kind: "amount_off", amount: greatestDiscount, currency: "USD" },
    validity: window,
    timeZone: "UTC",
    scope: { productIds: [productId] },
    refundPolicy: "restore",
  };
  const batches = [{ name: runId, template, greatestDiscount, stock: profile.stock }];
  const plan: CampaignPlan = { name: `Load ${runId}`, window, currency: "USD", batches };
  const known = new KnownIds(join(folder, "ids.json"));
  try {
    const desk = { operator, approver, callerIds: [target.caller.id], known };
    const [made] = (await setUpCampaign(desk, plan)).batches;
    if (made === undefined) throw new Error("The batch for the load was not made");
    return made;
  } finally {
    await Promise.all([operator.close(), approver.close()]);
  }
}

async function runK6(k6: string, profileName: string, settings: ScenarioSettings, folder: string): Promise<number> {
  const log = ["--log-format=raw", `--console-output=${join(folder, "requests.log")}`];
  const script = join(import.meta.dirname, "scenario", "coupons.ts");
  // Without a terminal k6's progress would be a line every second.
  const quiet = process.stdout.isTTY ? [] : ["--quiet"];
  const child = spawn(k6, ["run", "--no-usage-report", ...quiet, ...log, script], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, PROFILE_FILE: profileFile(profileName), SETTINGS: JSON.stringify(settings) },
  });
  const [status] = await once(child, "exit");
  return status ?? 1;
}

interface Summary {
  metrics: Record<string, { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> }>;
}

/** k6's own summary is replaced by the file; this is what a person wants of it. */
function saySummary(file: string, say: (text: string) => void): void {
  const { metrics } = JSON.parse(readFileSync(file, "utf8")) as Summary;
  for (const [name, { values, thresholds }] of Object.entries(metrics)) {
    if (thresholds === undefined) continue;
    const figures = Object.entries(values).map(([key, value]) => `${key} ${Math.round(value * 1_000) / 1_000}`);
    for (const [rule, { ok }] of Object.entries(thresholds))
      say(`  ${ok ? "✓" : "✗"} ${name} ${rule}: ${figures.join(", ")}`);
  }
}

async function judgeAgainstPostgres(
  target: LoadTarget,
  batch: ManagedBatch,
  requests: LoggedRequest[],
  profile: Profile,
): Promise<Verdict> {
  const { databaseUrl, kafkaBrokers: brokers, topicPrefix, partitions } = target;
  const pool: Pool = createPool({ databaseUrl, max: 2, statementTimeoutMs: 120_000, connectionTimeoutMs: 5_000 });
  const config = { brokers, topicPrefix, partitions, clientId: "load" };
  const reader = createLogReader({ config, groupId: `load-${process.pid}` });
  try {
    await untilApplied(pool, await readLogEnds(reader, partitions), appliedWithinMs);
    return await judgeBatch(pool, batch.batchNumber, requests, profile.stock);
  } finally {
    await reader.close();
    await pool.end();
  }
}
