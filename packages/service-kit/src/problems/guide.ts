import { type RefusalCode, refusals } from "@coupon/domain";

export interface Guidance {
  caller: string;
}

export const guide = Object.fromEntries(
  Object.entries(refusals).map(([code, rule]) => [code, { caller: `${rule.title}.` }]),
) as Record<RefusalCode, Guidance>;
