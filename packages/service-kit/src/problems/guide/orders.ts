import type { Guidance } from "./guidance.ts";

/** Refusals of a coupon's use in an order. */
export const ordersGuide = {
  coupon_pending: {
    meaning: "The coupon is not valid yet.",
    when: "Its `validFrom` lies ahead.",
    caller: "Use it from validFrom on.",
    sre: "Nothing.",
  },
  coupon_expired: {
    meaning: "The coupon is valid no more.",
    when: "Its `validUntil` has passed and no hold from before is in force.",
    caller: "Remove the coupon from the order.",
    sre: "Nothing.",
  },
  coupon_deactivated: {
    meaning: "The issuer killed the coupon.",
    when: "The coupon, or its batch with its issued coupons, was deactivated.",
    caller: "Remove the coupon from the order.",
    sre: "Nothing.",
  },
  coupon_locked: {
    meaning: "Another order holds the coupon; a hold is exclusive and ends.",
    when: "A lock of another order is in force.",
    caller: "Release it from the other order, or wait until that hold ends.",
    sre: "A rise from one caller: its checkout does not release abandoned orders.",
  },
  coupon_redeemed: {
    meaning: "The coupon has been used for another order.",
    when: "It is redeemed and was not given back by a reversal.",
    caller: "Remove the coupon from the order.",
    sre: "Nothing.",
  },
  hold_ended: {
    meaning: "The order holds the coupon no more, so its discount is not guaranteed any longer.",
    when: "The hold's deadline passed, it was released, or the order never locked it.",
    caller: "Lock again, show the user the new discount, then redeem.",
    sre: "A rise: checkouts take longer than holdSeconds, or redemptions are delayed.",
  },
  order_released: {
    meaning: "The order gave the coupon back, and a late lock of the same order must not take it again.",
    when: "A lock arrives within a day after a release by the same order.",
    caller: "Use a new order id.",
    sre: "Nothing; a delayed message was stopped.",
  },
  minimum_spend_not_met: {
    meaning: "What the order spends in the coupon's scope is less than the coupon asks for.",
    when: "The lines in scope add up to less than `minimumSpend`, or the currency differs.",
    caller: "Tell the user what is missing.",
    sre: "Nothing.",
  },
  nothing_to_discount: {
    meaning: "The coupon has no effect on this order.",
    when: "No line is in its scope, or the discount comes to nothing.",
    caller: "Remove the coupon from the order.",
    sre: "Nothing.",
  },
  reversal_exceeds_redemption: {
    meaning: "More would be taken back than was redeemed and not yet reversed.",
    when: "A line or a quantity is not in the redemption or is reversed already, or all but one of its 256 reversals are used and more than this one's would be left.",
    caller:
      "Read the order; remaining quantities are what can still be reversed. Where `limit` is given, reverse all of it.",
    sre: "From one caller: its refunds are counted twice. Nothing was written.",
  },
} as const satisfies Record<string, Guidance>;
