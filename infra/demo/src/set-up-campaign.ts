import type { Template } from "@coupon/domain";
import type { KnownIds } from "./known-ids.ts";
import { mapLimited } from "./map-limited.ts";
import { type BatchDraft, type BatchView, type Operators, OperatorsFailure, type Versioned } from "./operators.ts";

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
  stock: BatchDraft["stock"];
  shards?: number;
}

/** Operator and approver are two people: an author never approves. */
export interface Desk {
  operator: Operators;
  approver: Operators;
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
  batches: BatchView[];
}

const batchesAtOnce = 8;

/**
 * Creates what is missing of a campaign, and takes each of its batches through review and approval until it is
 * issuing. On data of an earlier run it goes on from there. The budget is just what the approvals reserve.
 *
 * @throws OperatorsFailure where the platform refuses a step
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
    return (await desk.operator.createCampaign(draft)).campaignId;
  });
  const batches = await mapLimited(plan.batches, batchesAtOnce, async (it) => {
    const batch = await setUpBatch(desk, plan, it, campaignId);
    onBatch();
    return batch;
  }).finally(() => desk.known.save());
  const { reserved } = await desk.operator.readCampaign(campaignId);
  return { campaignId, budget: amount, reserved: reserved.amount, batches };
}

async function setUpBatch(desk: Desk, plan: CampaignPlan, batch: BatchPlan, campaignId: string): Promise<BatchView> {
  const name = `${plan.name} / ${batch.name}`;
  const templateId = await known(desk.known, `template ${name}`, async () => {
    return (await desk.operator.createTemplate(batch.template)).templateId;
  });
  const batchId = await known(desk.known, `batch ${name}`, async () => {
    const callers = desk.callerIds.map((callerId) => ({
      callerId,
      may: ["issue", "redeem", "reverse", "read"] as BatchDraft["callers"][number]["may"],
    }));
    const draft: BatchDraft = {
      campaignId,
      templateId,
      name: batch.name,
      stock: batch.stock,
      issueWindow: plan.window,
      callers,
      timeZone: batch.template.timeZone,
      ...(batch.shards !== undefined && { shards: batch.shards }),
    };
    return (await desk.operator.createBatch(draft)).batchId;
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

async function bringToIssuing(desk: Desk, batchId: string): Promise<BatchView> {
  let batch: Versioned<BatchView> = await desk.operator.readBatch(batchId);
  while (batch.state in nextActions) {
    const [action, who] = nextActions[batch.state as keyof typeof nextActions];
    batch = await desk[who].act(batchId, action, batch.etag);
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

/** Whether an error says that what a run remembers is not there: the data was thrown away since. */
export function isForgotten(error: unknown): boolean {
  return error instanceof OperatorsFailure && error.status === 404;
}
