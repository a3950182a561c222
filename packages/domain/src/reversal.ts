import type { FieldError } from "./field-error.ts";
import type { Discount } from "./model.ts";
import { multiplyDivide } from "./money.ts";
import { payloadHash } from "./order.ts";

/**
 * Reversals of one redemption at most, for each stays on its coupon's record. An order has 200 lines, so that each
 * can go back by itself; the last that is left takes everything.
 */
export const REVERSALS_MAX = 256;

/** Redemptions of one coupon at most: the one that comes to it does not bring the coupon back any more. */
export const REDEMPTIONS_MAX = 32;

/** What a refund asks to undo of a redemption: everything that is left, or quantities of lines. */
export type ReversalAsk = { all: true } | { lines: readonly { lineId: string; quantity: number }[] };

/** A redemption with what has been reversed of it, as `RedemptionRecord` of the hot state has it. */
export interface ReversibleRedemption {
  discount: Discount;
  reversals: readonly { reversed: Discount }[];
}

export type ReversalJudgement =
  | {
      kind: "reversed";
      /** What this reversal takes back; its quantities are the reversed ones. */
      reversed: Discount;
      /** Discount of the redemption that is left after it. */
      remaining: number;
      /** True for the one reversal that takes back the last of the discount. */
      complete: boolean;
    }
  | { kind: "reversal_exceeds_redemption" }
  /** It would be one of more than `REVERSALS_MAX`, or the last of them and leave something. */
  | { kind: "too_many_reversals" }
  | { kind: "request_invalid"; errors: FieldError[] };

/**
 * What a reversal takes back of a redemption's discount. Of a line with quantity q and discount d,
 * the first r units together are worth d × r ÷ q rounded down, so that reversing all of it gives back
 * exactly d, in whatever steps. A line without a discount can be reversed like any other, for 0.
 *
 * More units than a line has left exceed the redemption, and so does `all` when no unit is left. Of the
 * `REVERSALS_MAX` that a redemption takes, the last must leave no unit. A line
 * that the order does not have, or that is named twice, makes the request invalid.
 *
 * @param base JSON pointer of the ask in the request, "" for the request itself
 */
export function judgeReversal(redemption: ReversibleRedemption, ask: ReversalAsk, base = ""): ReversalJudgement {
  const standings = lineStandings(redemption);
  const wanted = "all" in ask ? everythingLeft(standings) : ask.lines;
  if (!("all" in ask)) {
    const errors = checkLines(ask.lines, standings, base);
    if (errors.length > 0) return { kind: "request_invalid", errors };
  }
  if (wanted.length === 0) return { kind: "reversal_exceeds_redemption" };
  const lines: Discount["lines"] = [];
  let taken = 0;
  for (const { lineId, quantity } of wanted) {
    const line = standings.get(lineId) as LineStanding;
    const units = line.unitsReversed + quantity;
    if (units > line.quantity) return { kind: "reversal_exceeds_redemption" };
    const discount = multiplyDivide(line.discount, units, line.quantity).quotient - line.discountReversed;
    lines.push({ lineId, quantity, discount });
    taken += discount;
  }
  if (redemption.reversals.length >= REVERSALS_MAX - 1 && unitsOf(wanted) < unitsOf(everythingLeft(standings))) {
    return { kind: "too_many_reversals" };
  }
  const before = discountLeft(redemption);
  const remaining = before - taken;
  const reversed = { discount: taken, currency: redemption.discount.currency, lines };
  return { kind: "reversed", reversed, remaining, complete: before > 0 && remaining === 0 };
}

/** Discount of a redemption that has not been reversed yet. */
export function discountLeft(redemption: ReversibleRedemption): number {
  let left = redemption.discount.discount;
  for (const { reversed } of redemption.reversals) left -= reversed.discount;
  return left;
}

/** A hash of what a reversal asks, 16 hexadecimal digits; the order in which lines are named is nothing. */
export function reversalPayloadHash(ask: ReversalAsk): string {
  if ("all" in ask) return payloadHash(["all"]);
  const lines = ask.lines.map(({ lineId, quantity }) => [lineId, quantity] as const);
  return payloadHash(["lines", lines.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))]);
}

interface LineStanding {
  quantity: number;
  discount: number;
  unitsReversed: number;
  discountReversed: number;
}

function lineStandings(redemption: ReversibleRedemption): Map<string, LineStanding> {
  const standings = new Map<string, LineStanding>();
  for (const { lineId, quantity, discount } of redemption.discount.lines) {
    standings.set(lineId, { quantity, discount, unitsReversed: 0, discountReversed: 0 });
  }
  for (const { reversed } of redemption.reversals) {
    for (const { lineId, quantity, discount } of reversed.lines) {
      const line = standings.get(lineId);
      if (line === undefined) throw new Error("a reversal on record names a line that its redemption lacks");
      line.unitsReversed += quantity;
      line.discountReversed += discount;
    }
  }
  return standings;
}

function everythingLeft(standings: ReadonlyMap<string, LineStanding>): { lineId: string; quantity: number }[] {
  const left: { lineId: string; quantity: number }[] = [];
  for (const [lineId, line] of standings) {
    if (line.unitsReversed < line.quantity) left.push({ lineId, quantity: line.quantity - line.unitsReversed });
  }
  return left;
}

function unitsOf(lines: readonly { quantity: number }[]): number {
  return lines.reduce((sum, { quantity }) => sum + quantity, 0);
}

function checkLines(
  lines: readonly { lineId: string; quantity: number }[],
  standings: ReadonlyMap<string, LineStanding>,
  base: string,
): FieldError[] {
  if (lines.length === 0) return [{ pointer: `${base}/lines`, message: "is empty" }];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { lineId, quantity }] of lines.entries()) {
    const pointer = `${base}/lines/${index}`;
    if (!standings.has(lineId)) errors.push({ pointer: `${pointer}/lineId`, message: "is not a line of the order" });
    else if (seen.has(lineId)) errors.push({ pointer: `${pointer}/lineId`, message: "is named twice" });
    seen.add(lineId);
    if (!Number.isSafeInteger(quantity) || quantity < 1) {
      errors.push({ pointer: `${pointer}/quantity`, message: "is not a positive integer" });
    }
  }
  return errors;
}
