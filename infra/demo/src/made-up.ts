import { createHash } from "node:crypto";
import { type Benefit, type Money, type Order, SCOPE_IDS_MAX, type Template } from "@coupon/domain";
import type { RealCampaign, RealCoupon, RealRedemption } from "./dataset.ts";

/**
 * What the data set does not have, made up by the rule of docs/real-data.md: a pure function of the coupon's
 * UPC, the campaign and the household, so that every run makes up the same. All amounts are US cents.
 */

export const currency = "USD";
export const timeZone = "America/New_York";

/** A product that is in no coupon's scope: the part of each order that a discount must leave alone. */
export const outOfScopeProductId = "not-in-any-scope";

export interface MadeUpKind {
  upc: string;
  template: Template;
  /** The most that one coupon takes off: the benefit's amount, or its cap. */
  greatestDiscount: number;
}

export interface MadeUpRedemption {
  orderId: string;
  userId: string;
  upc: string;
  occurrence: number;
  order: Order;
  /** What the coupon takes off that order. */
  discount: number;
}

/** Instants of a window; `until` is exclusive. */
export interface Window {
  from: string;
  until: string;
}

export const userIdOf = (household: number): string => `household-${household}`;

/** Idempotency key of a household's `ordinal`-th coupon (from 1) of a kind; its scope is the batch. */
export const grantKeyOf = (household: number, ordinal: number): string => `cj-${household}-${ordinal}`;

/**
 * A campaign's window shifted to now: it starts at yesterday's midnight in New York and keeps the campaign's
 * length in days, the last day included.
 */
export function windowOf(campaign: RealCampaign, nowMs: number): Window {
  const first = Temporal.PlainDate.from(campaign.firstDay);
  const days = first.until(Temporal.PlainDate.from(campaign.lastDay)).days + 1;
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate();
  const from = today.subtract({ days: 1 });
  return { from: midnight(from), until: midnight(from.add({ days })) };
}

/** The template of a coupon kind of a campaign. */
export function kindOf(campaign: RealCampaign, coupon: RealCoupon, window: Window): MadeUpKind {
  const benefit = benefitOf(coupon.upc);
  const minimumSpend = minimumSpendOf(coupon.upc);
  return {
    upc: coupon.upc,
    greatestDiscount: benefit.kind === "amount_off" ? benefit.amount : benefit.maxAmount,
    template: {
      name: `Campaign ${campaign.campaignId}, coupon ${coupon.upc}`,
      benefit,
      ...(minimumSpend && { minimumSpend }),
      validity: { from: window.from, until: window.until },
      timeZone,
      scope: { productIds: coupon.productIds.slice(0, SCOPE_IDS_MAX) },
      refundPolicy: draw("refund", coupon.upc) % 2 === 0 ? "restore" : "forfeit",
    },
  };
}

/** The order that a redemption was made for. It reaches the coupon's minimum spend within the coupon's scope. */
export function redemptionOf(campaign: RealCampaign, redemption: RealRedemption): MadeUpRedemption {
  const { household, upc, occurrence } = redemption;
  const orderId = `cj-${campaign.campaignId}-${upc}-${household}-${occurrence}`;
  const coupon = campaign.kinds.find((it) => it.upc === upc);
  const products = coupon?.productIds.slice(0, SCOPE_IDS_MAX) ?? [];
  const productId = products[draw("product", orderId) % products.length];
  if (productId === undefined) throw new Error(`Coupon ${upc} of campaign ${campaign.campaignId} has no product`);
  const quantity = 1 + (draw("quantity", orderId) % 3);
  // At least the greatest minimum spend, and a multiple of 20 so that every percentage comes out exact.
  const unitAmount = 1_000 + 20 * (draw("amount", orderId) % 50);
  const otherAmount = 100 + (draw("other", orderId) % 900);
  const order: Order = {
    amount: quantity * unitAmount + otherAmount,
    currency,
    lines: [
      { lineId: "1", productId, quantity, unitAmount },
      { lineId: "2", productId: outOfScopeProductId, quantity: 1, unitAmount: otherAmount },
    ],
  };
  const discount = discountOf(benefitOf(upc), quantity * unitAmount);
  return { orderId, userId: userIdOf(household), upc, occurrence, order, discount };
}

/** Three coupons of four take 0.50 to 5.00 off, the fourth 5 % to 30 %, at most 5.00. */
function benefitOf(upc: string): Benefit {
  const step = draw("benefit", upc);
  return draw("kind", upc) % 4 < 3
    ? { kind: "amount_off", amount: 50 + 50 * (step % 10), currency }
    : { kind: "percent_off", basisPointsOff: 500 + 500 * (step % 6), maxAmount: 500, currency };
}

/** Every second coupon asks for a spend of 10.00. */
function minimumSpendOf(upc: string): Money | undefined {
  return draw("minimum", upc) % 2 === 0 ? { amount: 1_000, currency } : undefined;
}

function discountOf(benefit: Benefit, inScope: number): number {
  if (benefit.kind === "amount_off") return Math.min(benefit.amount, inScope);
  return Math.min((inScope * benefit.basisPointsOff) / 10_000, benefit.maxAmount);
}

function midnight(day: Temporal.PlainDate): string {
  return day.toZonedDateTime({ timeZone }).toInstant().toString();
}

/** An evenly spread 32-bit number that depends only on what it is for and of whom. */
function draw(purpose: string, subject: string): number {
  return createHash("sha256").update(`${purpose}:${subject}`).digest().readUInt32BE(0);
}
