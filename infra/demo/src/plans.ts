import type { RealCampaign } from "./dataset.ts";
import { currency, kindOf, timeZone, windowOf } from "./made-up.ts";
import type { BatchPlan, CampaignPlan } from "./set-up-campaign.ts";

/** A campaign of the data set as the platform is told of it: a batch for each kind, stock for just its households. */
export function planOf(campaign: RealCampaign, perUser: number, name: string, nowMs: number): CampaignPlan {
  const window = windowOf(campaign, nowMs);
  const total = campaign.households.length * perUser;
  const batches = campaign.kinds.map((coupon): BatchPlan => {
    const { template, greatestDiscount } = kindOf(campaign, coupon, window);
    return { name: template.name, template, greatestDiscount, stock: { total, perUser } };
  });
  return { name, window, currency, batches };
}

/** Stock of the demonstration batch that sells out. */
export const scarceStock = 3;

/** Stock of the roomy demonstration batch, for tools that claim with users of their own. */
export const roomyStock = 10_000_000;

/** Two batches of the demonstration's own: one that sells out at once, one that never does. */
export function demoPlan(nowMs: number): CampaignPlan {
  const day = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate();
  const at = (days: number) => day.add({ days }).toZonedDateTime({ timeZone }).toInstant().toString();
  const window = { from: at(-1), until: at(365) };
  const template = (name: string): BatchPlan["template"] => ({
    name,
    benefit: { kind: "amount_off", amount: 100, currency },
    validity: { days: 30, mode: "calendar" },
    timeZone,
    refundPolicy: "restore",
  });
  const batch = (name: string, total: number): BatchPlan => ({
    name,
    template: template(name),
    greatestDiscount: 100,
    stock: { total, perUser: 1 },
  });
  return {
    name: "Demonstration",
    window,
    currency,
    batches: [batch("A few, soon gone", scarceStock), batch("Plenty", roomyStock)],
  };
}
