/**
 * Exact arithmetic on integer minor units. Amounts are safe integers; where a product could leave
 * them, the step is made in BigInt and comes back as a number.
 */

/** Largest amount of money in minor units that is accepted for one thing (a price, a benefit). */
export const AMOUNT_MAX = 1_000_000_000_000;

/** Whole of a share in basis points. */
export const BASIS_POINTS_WHOLE = 10_000;

/** Quotient, rounded down, and remainder of `factor` × `multiplier` ÷ `divisor`, exactly. */
export interface Quotient {
  quotient: number;
  remainder: number;
}

/**
 * `factor` × `multiplier` ÷ `divisor`, exactly, for safe integers that are not negative and a positive
 * divisor.
 *
 * @throws RangeError where the quotient is not a safe integer
 */
export function multiplyDivide(factor: number, multiplier: number, divisor: number): Quotient {
  const product = factor * multiplier;
  if (product <= Number.MAX_SAFE_INTEGER) {
    const remainder = product % divisor;
    return { quotient: (product - remainder) / divisor, remainder };
  }
  const exact = BigInt(factor) * BigInt(multiplier);
  const quotient = exact / BigInt(divisor);
  if (quotient > MAX_SAFE) throw new RangeError("an amount of money is beyond the safe integers");
  return { quotient: Number(quotient), remainder: Number(exact % BigInt(divisor)) };
}

/**
 * `factor` × `multiplier`, exactly, for safe integers that are not negative.
 *
 * @throws RangeError where the product is not a safe integer
 */
export function multiply(factor: number, multiplier: number): number {
  // A product of doubles that rounds to a safe integer is exact below 2^53.
  const product = factor * multiplier;
  if (product > Number.MAX_SAFE_INTEGER) throw new RangeError("an amount of money is beyond the safe integers");
  return product;
}

/**
 * Splits `total` in proportion to `weights` by largest remainder: every part is its exact share rounded
 * down, and what is left over goes, one unit each, to the parts that lost most by the rounding, the
 * earlier first where they lost the same. The parts add up to `total`; while `total` is not above the
 * sum of the weights, no part is above its weight.
 *
 * @throws RangeError where `total` is positive and every weight is 0, or a sum is not a safe integer
 */
export function allocate(total: number, weights: readonly number[]): number[] {
  if (total === 0) return weights.map(() => 0);
  let sum = 0;
  for (const weight of weights) sum += weight;
  if (sum <= 0 || sum > Number.MAX_SAFE_INTEGER) throw new RangeError("weights add up to a positive safe integer");
  const shares = weights.map((weight) => multiplyDivide(total, weight, sum));
  const parts = shares.map((share) => share.quotient);
  let left = total;
  for (const part of parts) left -= part;
  if (left === 0) return parts;
  const byLoss = shares.map((share, index) => ({ index, loss: share.remainder }));
  byLoss.sort((a, b) => b.loss - a.loss || a.index - b.index);
  for (const { index } of byLoss.slice(0, left)) parts[index] = (parts[index] as number) + 1;
  return parts;
}

/** Of two integers from 0. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
