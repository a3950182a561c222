import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatInstant } from "./instants.ts";
import type { BatchDefinition, CouponState, Template } from "./model.ts";
import { type Coupon, type CouponFacts, couponJson, presentBatch, presentTerms } from "./present-coupon.ts";
import { couponWindow } from "./validity.ts";

const template: Template = {
  name: "Ten off",
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  minimumSpend: { amount: 5_000, currency: "CNY" },
  validity: { days: 7, mode: "calendar" },
  timeZone: "Asia/Shanghai",
  scope: { productIds: ["p1"] },
  refundPolicy: "restore",
};
const definition: BatchDefinition = {
  batchId: "bat_1",
  batchNumber: 1,
  version: 3,
  campaignId: "cmp_1",
  name: "Singles' Day",
  sandbox: false,
  state: "issuing",
  revoked: false,
  template,
  stock: { total: 100, perUser: 1 },
  issueWindow: { from: "2026-11-01T00:00:00Z", until: "2026-12-01T00:00:00Z" },
  callers: [{ callerId: "clr_1", may: ["issue"] }],
  funding: [],
  timeZone: "Asia/Shanghai",
  shards: 1,
  couponKeyVersion: 1,
};
const facts = {
  couponId: "11ZZZZZZZZZZZZZZRE98103Z26WZ0DJS",
  userId: "user-1",
  state: "effective" as CouponState,
  issuedAtSeconds: Date.parse("2026-11-11T02:30:00Z") / 1_000,
};

/** The interface's Coupon, member by member. */
function couponOf(of: BatchDefinition, coupon: CouponFacts): Coupon {
  const window = couponWindow(of.template, coupon.issuedAtSeconds);
  return {
    couponId: coupon.couponId,
    batchId: of.batchId,
    userId: coupon.userId,
    state: coupon.state,
    sandbox: of.sandbox,
    terms: presentTerms(of),
    validFrom: formatInstant(window.validFromMs),
    validUntil: formatInstant(window.validUntilMs),
    issuedAt: formatInstant(coupon.issuedAtSeconds * 1_000),
  };
}

describe("couponJson", () => {
  const anyText = fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" });
  const anyDefinition = fc.record({ batchId: anyText, name: anyText, sandbox: fc.boolean(), minimum: fc.boolean() });
  const anyFacts = fc.record({
    couponId: fc.constant(facts.couponId),
    userId: anyText,
    state: fc.constantFrom<CouponState>("pending", "effective", "locked", "redeemed", "expired", "deactivated"),
    issuedAtSeconds: fc.integer({ min: 1_704_067_200, max: 2_700_000_000 }),
  });

  it("is the interface's Coupon", () => {
    expect(JSON.parse(couponJson(definition, facts))).toEqual({
      couponId: "11ZZZZZZZZZZZZZZRE98103Z26WZ0DJS",
      batchId: "bat_1",
      userId: "user-1",
      state: "effective",
      sandbox: false,
      terms: {
        name: "Ten off",
        benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
        minimumSpend: { amount: 5_000, currency: "CNY" },
      },
      validFrom: "2026-11-11T02:30:00.000Z",
      validUntil: "2026-11-17T16:00:00.000Z",
      issuedAt: "2026-11-11T02:30:00.000Z",
    });
  });

  it("is the text of any Coupon, member by member in their order", () => {
    fc.assert(
      fc.property(anyDefinition, fc.array(anyFacts, { minLength: 1, maxLength: 3 }), (drawn, coupons) => {
        const { minimumSpend, ...without } = template;
        const terms = drawn.minimum && minimumSpend ? { ...without, minimumSpend } : without;
        const { batchId, sandbox, name } = drawn;
        const drawnDefinition = { ...definition, batchId, sandbox, template: { ...terms, name } };
        for (const coupon of coupons) {
          expect(couponJson(drawnDefinition, coupon)).toBe(JSON.stringify(couponOf(drawnDefinition, coupon)));
        }
      }),
    );
  });

  it("follows a new version of the definition", () => {
    expect(couponJson(definition, facts)).toContain('"name":"Ten off"');
    const next = { ...definition, version: 4, template: { ...template, name: "Eleven off" } };
    expect(couponJson(next, facts)).toContain('"name":"Eleven off"');
  });
});

describe("presentBatch", () => {
  it("shows callers what is theirs to know, with the scope", () => {
    expect(presentBatch(definition)).toEqual({
      batchId: "bat_1",
      name: "Singles' Day",
      state: "issuing",
      sandbox: false,
      terms: { ...presentTerms(definition), scope: { productIds: ["p1"] } },
      issueWindow: { from: "2026-11-01T00:00:00Z", until: "2026-12-01T00:00:00Z" },
    });
  });

  it("leaves out what the template does not have", () => {
    const { minimumSpend: _, scope: __, ...bare } = template;
    expect(presentBatch({ ...definition, template: bare }).terms).toEqual({
      name: "Ten off",
      benefit: template.benefit,
    });
  });
});
