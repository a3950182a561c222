import { join } from "node:path";
import { CouponClient, OperatorClient } from "@coupon/client";
import { createPool } from "@coupon/database";
import { createLogReader } from "@coupon/events";
import { registerCallers } from "../callers.ts";
import { loadDataset } from "../dataset.ts";
import type { Figures } from "../figures.ts";
import { KnownIds } from "../known-ids.ts";
import { type LocalStack, signTokens } from "../local-stack.ts";
import { demoPlan } from "../plans.ts";
import { setUpCampaign } from "../set-up-campaign.ts";
import { beRefused } from "./be-refused.ts";
import type { DemoRun } from "./demo-run.ts";
import { grantHouseholds } from "./grant-households.ts";
import { importCampaign } from "./import-campaign.ts";
import { redeemHouseholds } from "./redeem-households.ts";
import { reverseOne } from "./reverse-one.ts";
import { showRows } from "./show-rows.ts";

const realCampaignId = 26;

/**
 * Runs the demonstration on a stack that is up, and writes `.local/stack.json` for tools. Repeated on the same data it
 * finds everything there and comes to the same figures.
 */
export async function runDemo(local: LocalStack, figures: Figures): Promise<void> {
  const real = loadDataset().campaigns.find((it) => it.campaignId === realCampaignId);
  if (real === undefined) throw new Error(`The data set has no campaign ${realCampaignId}`);
  const { caller, otherCaller } = await registerCallers(local);
  const tokens = await signTokens(local.stack);
  const { issuing, campaigns } = local.urls;
  const operator = new OperatorClient({ baseUrl: campaigns, token: tokens.operatorToken });
  const approver = new OperatorClient({ baseUrl: campaigns, token: tokens.approverToken });
  const client = new CouponClient({ baseUrl: issuing, keyId: caller.keyId, secret: caller.secret });
  const other = { keyId: otherCaller.keyId, secret: otherCaller.secret };
  const otherClient = new CouponClient({ baseUrl: issuing, ...other });
  const { databaseUrl } = local.addresses;
  const pool = createPool({ databaseUrl, max: 2, statementTimeoutMs: 30_000, connectionTimeoutMs: 5_000 });
  const reader = createLogReader({ config: { ...local.log, clientId: "demo" }, groupId: `demo-${process.pid}` });
  const known = new KnownIds(join(local.stack.local, "demo-ids.json"));
  const desk = { operator, approver, callerIds: [caller.id], known };
  try {
    const run: DemoRun = { local, desk, caller, client, otherClient, pool, reader, figures, real };
    const imported = await importCampaign(run);
    const book = await grantHouseholds(run, imported);
    const redeemed = await redeemHouseholds(run, book);
    const reversed = await reverseOne(run, redeemed);
    const [scarce, roomy] = (await setUpCampaign(desk, demoPlan(Date.now()))).batches;
    await beRefused(run, redeemed, reversed, scarce?.batchId ?? "");
    await showRows(run, imported, redeemed, reversed);
    local.stack.publish({ ...tokens, caller, batchId: roomy?.batchId ?? "" });
  } finally {
    await Promise.all([operator, approver, client, otherClient, reader].map((it) => it.close()));
    await pool.end();
  }
}
