import { planOf } from "../plans.ts";
import { forgetWhatIsGone, setUpCampaign } from "../set-up-campaign.ts";
import type { DemoRun, ImportedCampaign } from "./demo-run.ts";

/** Imports the real campaign as a campaign with a template and a batch for each of its coupon kinds. */
export async function importCampaign(run: DemoRun): Promise<ImportedCampaign> {
  const { figures, real, desk } = run;
  figures.heading(`1. Import real campaign ${real.campaignId} (${real.type}, ${real.firstDay} to ${real.lastDay})`);
  const plan = planOf(real, 1, `Complete Journey campaign ${real.campaignId}`, Date.now());
  await forgetWhatIsGone(desk, plan.name);
  const campaign = await setUpCampaign(desk, plan);
  figures.check("coupon kinds, each a template and a batch", 33, campaign.batches.length);
  const issuing = campaign.batches.filter((it) => it.state === "issuing").length;
  figures.check("batches issuing, approved by another person than their author", 33, issuing);
  figures.check("budget in cents, all of it reserved for the greatest liability", campaign.budget, campaign.reserved);
  const ids = campaign.batches.map((it, i): [string, string] => [real.kinds[i]?.upc ?? "", it.batchId]);
  return { campaign, batchIds: new Map(ids) };
}
