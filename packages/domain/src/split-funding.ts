import { BASIS_POINTS_WHOLE, greatestCommonDivisor } from "./money.ts";

/** Who pays for a batch, and how much of it. Shares add up to 10,000 basis points. */
export interface FundingShare {
  party: string;
  basisPoints: number;
}

/** Who pays where a batch names nobody. */
export const PLATFORM_FUNDING: readonly FundingShare[] = [{ party: "platform", basisPoints: BASIS_POINTS_WHOLE }];

/**
 * Splits amounts of money over the parties that fund a batch, in whole minor units. Every unit of an amount,
 * counted from the first, falls to one party for good, in a cycle that repeats after at most 10,000 units: so
 *
 * - the parts add up to the amount, exactly;
 * - a part is its exact share, rounded down or up: never a whole unit away;
 * - a larger amount takes no unit from anybody: what is left of a redemption after a partial reversal is split by
 *   the same function as the whole, and what the reversal gives back, the difference, is negative for nobody and
 *   depends on nothing but the two amounts.
 *
 * Largest remainder, which allocates a discount to the lines of an order, has the first two properties and not the
 * third (the Alabama paradox). The cycle is the quota method of Balinski and Young (The Quota Method of
 * Apportionment, 1975): of the parties that another unit does not take above their share rounded up, it goes to the
 * one with the greatest share per unit that it would then have, and to the earlier of equals.
 */
export class FundingSplit {
  readonly #weights: readonly number[];
  readonly #period: number;
  /** Of the first n units of a cycle the parts of all parties, side by side, for n from 0. */
  readonly #cycle: Uint16Array;

  /** @throws RangeError where the shares are not positive integers that add up to 10,000 */
  constructor(basisPoints: readonly number[]) {
    checkShares(basisPoints);
    const divisor = basisPoints.reduce(greatestCommonDivisor);
    this.#weights = basisPoints.map((share) => share / divisor);
    this.#period = BASIS_POINTS_WHOLE / divisor;
    this.#cycle = cycleOf(this.#weights, this.#period);
  }

  /**
   * The parts of an amount in minor units, in the order of the shares.
   *
   * @throws RangeError for what is not a safe integer from 0
   */
  split(amount: number): number[] {
    if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError("an amount to split is an integer from 0");
    const units = amount % this.#period;
    const cycles = (amount - units) / this.#period;
    const first = units * this.#weights.length;
    return this.#weights.map((weight, index) => cycles * weight + (this.#cycle[first + index] as number));
  }
}

function checkShares(basisPoints: readonly number[]): void {
  let sum = 0;
  for (const share of basisPoints) {
    if (!Number.isInteger(share) || share < 1) throw new RangeError("a share is a positive number of basis points");
    sum += share;
  }
  if (sum !== BASIS_POINTS_WHOLE) throw new RangeError(`shares add up to ${sum} basis points, not to 10000`);
}

function cycleOf(weights: readonly number[], period: number): Uint16Array {
  const parties = weights.length;
  const cycle = new Uint16Array((period + 1) * parties);
  const parts = new Array<number>(parties).fill(0);
  for (let units = 1; units <= period; units += 1) {
    const next = nextParty(weights, parts, units, period);
    parts[next] = (parts[next] as number) + 1;
    cycle.set(parts, units * parties);
  }
  return cycle;
}

/** Who gets the unit that makes it `units` in all. */
function nextParty(weights: readonly number[], parts: readonly number[], units: number, period: number): number {
  let best = -1;
  for (const [index, weight] of weights.entries()) {
    const part = parts[index] as number;
    if (part * period >= units * weight) continue;
    // weight / (part + 1) compared without dividing.
    const better = best < 0 || weight * ((parts[best] as number) + 1) > (weights[best] as number) * (part + 1);
    if (better) best = index;
  }
  return best;
}
