import {
  type BatchBody,
  type Entitlement,
  expectValue,
  type ManagedBatch,
  type OperatorClient,
  type Stock,
} from "@coupon/client";
import type { Template } from "@coupon/domain";
import type { KnownIds } from "./known-ids.ts";
import { mapLimited } from "./map-limited.ts";

/** A campaign with its batches as a run wants them. Names are unique within the run's known ids. */
export interface CampaignPlan {
  name: string;
  window: { from: string; until: string };
  currency: string;
  batches: BatchPlan[];
}

export interface BatchPlan {
  name: string;
  template: Template;
  /** The most that one coupon takes off; times the stock it is the batch's share of the campaign's budget. */
  greatestDiscount: number;
  stock: Stock;
  shards?: number;
}

/** Operator and approver are two people: an author never approves. */
export interface Desk {
  operator: OperatorClient;
  approver: OperatorClient;
  /** Callers entitled to everything on every batch of the plan. */
  callerIds: string[];
  known: KnownIds;
}

export interface IssuingCampaign {
  campaignId: string;
  budget: number;
  /** What the approvals have reserved of it. */
  reserved: number;
  /** In the plan's order, all issuing. */
  batches: ManagedBatch[];
}

const batchesAtOnce = 16;

/**
 * Creates what is missing of a campaign, and takes each of its batches through review and approval until it is
 * issuing. On data of an earlier run it goes on from there. The budget is just what the approvals reserve.
 *
 * @throws CallFailed where the platform refuses a step
 */
export async function setUpCampaign(
  desk: Desk,
  plan: CampaignPlan,
  onBatch: () => void = () => undefined,
): Promise<IssuingCampaign> {
  const amount = plan.batches.reduce((sum, it) => sum + it.stock.total * it.greatestDiscount, 0);
  const budget = { amount, currency: plan.currency };
  const campaignId = await known(desk.known, `campaign ${plan.name}`, async () => {
    const draft = { name: plan.name, startsAt: plan.window.from, endsAt: plan.window.until, budget };
    return expectValue(await desk.operator.campaigns.create(draft)).campaignId;
  });
  const batches = await mapLimited(plan.batches, batchesAtOnce, async (it) => {
    const batch = await setUpBatch(desk, plan, it, campaignId);
    onBatch();
    return batch;
  }).finally(() => desk.known.save());
  const { reserved } = expectValue(await desk.operator.campaigns.get(campaignId));
  return { campaignId, budget: amount, reserved: reserved?.amount ?? 0, batches };
}

/** Forgets what a run remembers where its data was thrown away since: one campaign that is gone says so. */
export async function forgetWhatIsGone(desk: Desk, campaignName: string): Promise<void> {
  const campaignId = desk.known.get(`campaign ${campaignName}`);
  if (campaignId === undefined) return;
  const read = await desk.operator.campaigns.get(campaignId);
  if (!read.ok && read.refusal?.code === "campaign_not_found") desk.known.forgetAll();
}

async function setUpBatch(desk: Desk, plan: CampaignPlan, batch: BatchPlan, campaignId: string): Promise<ManagedBatch> {
  const name = `${plan.name} / ${batch.name}`;
  const templateId = await known(desk.known, `template ${name}`, async () => {
    return expectValue(await desk.operator.templates.create(batch.template)).templateId;
  });
  const batchId = await known(desk.known, `batch ${name}`, async () => {
    const may: Entitlement[] = ["issue", "redeem", "reverse", "read"];
    const body: BatchBody = {
      campaignId,
      templateId,
      name: batch.name,
      stock: batch.stock,
      issueWindow: plan.window,
      callers: desk.callerIds.map((callerId) => ({ callerId, may })),
      timeZone: batch.template.timeZone,
      ...(batch.shards !== undefined && { shards: batch.shards }),
    };
    return expectValue(await desk.operator.batches.create(body)).batchId;
  });
  return bringToIssuing(desk, batchId);
}

/** The action that takes a batch nearer to issuing, and whose it is. */
const nextActions = {
  draft: ["submit", "operator"],
  in_review: ["approve", "approver"],
  approved: ["start", "operator"],
  paused: ["resume", "operator"],
} as const;

async function bringToIssuing(desk: Desk, batchId: string): Promise<ManagedBatch> {
  let read = await desk.operator.batches.get(batchId);
  let batch = expectValue(read);
  while (read.ok && batch.state in nextActions) {
    const [action, who] = nextActions[batch.state as keyof typeof nextActions];
    read = await desk[who].batches.act(batchId, action, read.etag ?? "");
    batch = expectValue(read);
  }
  // A batch of an earlier run may have ended since; what it issued is still answered.
  return batch;
}

async function known(ids: KnownIds, name: string, create: () => Promise<string>): Promise<string> {
  const there = ids.get(name);
  if (there !== undefined) return there;
  const id = await create();
  ids.set(name, id);
  return id;
}
