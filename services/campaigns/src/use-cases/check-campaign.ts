import { type FieldError, parseInstant } from "@coupon/domain";
import type { CampaignBody } from "../schemas/campaign.ts";

const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

/** What is wrong with a campaign, after its shape and types have been checked; empty where nothing is. */
export function checkCampaign({ name, startsAt, endsAt, budget }: CampaignBody): FieldError[] {
  const errors: FieldError[] = [];
  const startsMs = parseInstant(startsAt);
  const endsMs = parseInstant(endsAt);
  if (name.trim() === "") errors.push({ pointer: "/name", message: "is blank" });
  if (startsMs === null) errors.push({ pointer: "/startsAt", message: "is not a time that exists" });
  if (endsMs === null) errors.push({ pointer: "/endsAt", message: "is not a time that exists" });
  if (startsMs !== null && endsMs !== null && endsMs <= startsMs) {
    errors.push({ pointer: "/endsAt", message: "is not after startsAt" });
  }
  if (!currencies.has(budget.currency)) {
    errors.push({ pointer: "/budget/currency", message: "is not an ISO 4217 currency" });
  }
  return errors;
}
