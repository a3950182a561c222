import { formatInstant } from "./instants.ts";
import type { BatchDefinition, BatchState, Benefit, CouponState, Money, Scope } from "./model.ts";
import { couponWindow } from "./validity.ts";

/** What a coupon gives, as callers see it. */
export interface CouponTerms {
  name: string;
  benefit: Benefit;
  minimumSpend?: Money;
}

/** A coupon as API.md's answers have it. */
export interface Coupon {
  couponId: string;
  batchId: string;
  userId: string;
  state: CouponState;
  sandbox: boolean;
  terms: CouponTerms;
  validFrom: string;
  validUntil: string;
  issuedAt: string;
}

/** A batch as callers see it. */
export interface PresentedBatch {
  batchId: string;
  name: string;
  state: BatchState;
  sandbox: boolean;
  terms: CouponTerms & { scope?: Scope };
  issueWindow: { from: string; until: string };
}

/** What is to be known of one coupon to show it. */
export interface CouponFacts {
  couponId: string;
  userId: string;
  state: CouponState;
  /** Seconds since the Unix epoch. */
  issuedAtSeconds: number;
}

/** The terms shown with a coupon: without the scope, which may be long and is in the batch. */
export function presentTerms(definition: BatchDefinition): CouponTerms {
  const { name, benefit, minimumSpend } = definition.template;
  return minimumSpend === undefined ? { name, benefit } : { name, benefit, minimumSpend };
}

/** A batch as `GET /v1/batches/{batchId}` answers it. */
export function presentBatch(definition: BatchDefinition): PresentedBatch {
  const { batchId, name, state, sandbox, issueWindow, template } = definition;
  const terms = presentTerms(definition);
  return {
    batchId,
    name,
    state,
    sandbox,
    terms: template.scope === undefined ? terms : { ...terms, scope: template.scope },
    issueWindow,
  };
}

/**
 * The JSON text of a {@link Coupon}, made in a fraction of the time that `JSON.stringify` of one takes: what all coupons
 * of a definition share is put into words once. A definition is never changed in place; a new version is a new object.
 *
 * @param facts its `couponId` is a coupon id: it is written as it is
 */
export function couponJson(definition: BatchDefinition, facts: CouponFacts): string {
  const frame = frameOf(definition);
  if (frame.second !== facts.issuedAtSeconds) {
    frame.second = facts.issuedAtSeconds;
    frame.times = timesJson(definition, facts.issuedAtSeconds);
  }
  return (
    `{"couponId":"${facts.couponId}${frame.afterCouponId}${JSON.stringify(facts.userId)},"state":"${facts.state}` +
    `${frame.afterState}${frame.times}`
  );
}

function timesJson(definition: BatchDefinition, issuedAtSeconds: number): string {
  const window = couponWindow(definition.template, issuedAtSeconds);
  return (
    `${formatInstant(window.validFromMs)}","validUntil":"${formatInstant(window.validUntilMs)}",` +
    `"issuedAt":"${formatInstant(issuedAtSeconds * 1_000)}"}`
  );
}

interface Frame {
  afterCouponId: string;
  afterState: string;
  /** What coupons issued in this second end in: in a promotion nearly all coupons asked about are of one second. */
  second: number;
  times: string;
}

const frames = new WeakMap<BatchDefinition, Frame>();

function frameOf(definition: BatchDefinition): Frame {
  let frame = frames.get(definition);
  if (frame === undefined) {
    const terms = JSON.stringify(presentTerms(definition));
    frame = {
      afterCouponId: `","batchId":${JSON.stringify(definition.batchId)},"userId":`,
      afterState: `","sandbox":${definition.sandbox},"terms":${terms},"validFrom":"`,
      second: Number.NaN,
      times: "",
    };
    frames.set(definition, frame);
  }
  return frame;
}
