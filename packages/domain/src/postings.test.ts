import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stillNeeded } from "./postings.ts";

describe("stillNeeded", () => {
  it("counts what is over at what it cost, and the rest at its greatest discount", () => {
    expect(stillNeeded({ unissued: 3, open: 2, overCost: 700 }, 500)).toBe(3_200);
    expect(stillNeeded({ unissued: 0, open: 0, overCost: 0 }, 500)).toBe(0);
  });

  it("never grows while coupons are issued, redeemed, reversed and over, in whatever order", () => {
    const greatest = 500;
    const steps = fc.array(fc.tuple(fc.nat(9), fc.constantFrom("issue", "over", "reverse"), fc.nat(greatest)));
    fc.assert(
      fc.property(steps, (story) => {
        const coupons = Array.from({ length: 10 }, () => ({ state: "unissued", cost: 0 }));
        const use = () => ({
          unissued: coupons.filter(({ state }) => state === "unissued").length,
          open: coupons.filter(({ state }) => state === "open").length,
          overCost: coupons.reduce((total, { state, cost }) => total + (state === "over" ? cost : 0), 0),
        });
        let before = stillNeeded(use(), greatest);
        for (const [at, step, money] of story) {
          const coupon = coupons[at] as (typeof coupons)[number];
          if (step === "issue" && coupon.state === "unissued") coupon.state = "open";
          else if (step === "over" && coupon.state === "open") Object.assign(coupon, { state: "over", cost: money });
          else if (step === "reverse" && coupon.state === "over") coupon.cost = Math.min(coupon.cost, money);
          const now = stillNeeded(use(), greatest);
          expect(now).toBeLessThanOrEqual(before);
          before = now;
        }
      }),
    );
  });

  it("refuses sums that a number does not hold exactly", () => {
    expect(() => stillNeeded({ unissued: 2 ** 52, open: 2 ** 52, overCost: 1 }, 1)).toThrow(RangeError);
  });
});
