import type { Benefit, Discount, Money, Order, Template } from "./model.ts";
import { allocate, BASIS_POINTS_WHOLE, multiply, multiplyDivide } from "./money.ts";
import { lineAmount } from "./order.ts";
import { inScope } from "./scope.ts";

/** What a coupon takes off an order, or why nothing. */
export type DiscountJudgement =
  | { kind: "discount"; discount: Discount }
  | { kind: "minimum_spend_not_met" | "nothing_to_discount" };

/**
 * What a coupon of this template takes off an order that `checkOrder` has passed.
 *
 * - Only lines in scope count, for the benefit and for the minimum spend: a shopper can't reach the
 *   minimum with goods that the coupon is not for.
 * - `amount_off` is capped by the subtotal in scope. `percent_off` is rounded down to a whole minor
 *   unit and capped by its `maxAmount`: never more than was promised, and never below what a smaller
 *   order gets.
 * - The discount is allocated to the lines in scope by `allocate`, in proportion to their amounts.
 *   Every line of the order is listed, with 0 where it gets nothing, because a reversal asks by line.
 * - An order in another currency has nothing to discount.
 */
export function judgeDiscount(
  template: Pick<Template, "benefit" | "minimumSpend" | "scope">,
  order: Order,
): DiscountJudgement {
  const { benefit, minimumSpend, scope } = template;
  if (order.currency !== benefit.currency) return { kind: "nothing_to_discount" };
  const amounts = order.lines.map((line) => (inScope(scope, line) ? lineAmount(line) : 0));
  let subtotal = 0;
  for (const amount of amounts) subtotal += amount;
  if (minimumSpend !== undefined && !meets(subtotal, order.currency, minimumSpend)) {
    return { kind: "minimum_spend_not_met" };
  }
  const discount = discountOn(benefit, subtotal);
  if (discount === 0) return { kind: "nothing_to_discount" };
  const parts = allocate(discount, amounts);
  const lines = order.lines.map(({ lineId, quantity }, index) => ({
    lineId,
    quantity,
    discount: parts[index] as number,
  }));
  return { kind: "discount", discount: { discount, currency: order.currency, lines } };
}

/** The most that one coupon can take off, in minor units of the benefit's currency. */
export function greatestDiscount(template: Pick<Template, "benefit">): number {
  const { benefit } = template;
  return benefit.kind === "amount_off" ? benefit.amount : benefit.maxAmount;
}

/**
 * The most that a batch can cost: stock × greatest discount.
 *
 * @throws RangeError where that is not a safe integer; `checkBatch` refuses such a batch
 */
export function greatestLiability(template: Pick<Template, "benefit">, stockTotal: number): Money {
  return { amount: multiply(greatestDiscount(template), stockTotal), currency: template.benefit.currency };
}

function meets(subtotal: number, currency: string, minimum: Money): boolean {
  return minimum.currency === currency && subtotal >= minimum.amount;
}

function discountOn(benefit: Benefit, subtotal: number): number {
  if (benefit.kind === "amount_off") return Math.min(benefit.amount, subtotal);
  const { quotient } = multiplyDivide(subtotal, benefit.basisPointsOff, BASIS_POINTS_WHOLE);
  return Math.min(quotient, benefit.maxAmount);
}
