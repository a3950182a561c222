/** A point of a series: what is seen (`y`) at a place (`x`). */
export interface Point {
  x: number;
  y: number;
}

/** How much `y` grows with `x`: the estimate, and the interval that holds it with 95 % confidence. */
export interface Slope {
  value: number;
  low: number;
  high: number;
}

/** Quantile of the normal distribution for 95 % on both sides. */
const z = 1.96;

/**
 * The Theil–Sen slope: the median of the slopes between all pairs of points, so that a spike or a step in a few
 * samples moves it little. The interval is Sen's, from the variance of Kendall's statistic without ties (P. K. Sen,
 * "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968). It takes the points for
 * independent of each other; a series that wanders is less certain than it says.
 *
 * @throws RangeError where there are fewer than four points or all have the same x
 */
export function slopeOf(points: readonly Point[]): Slope {
  const slopes = pairSlopes(points);
  if (points.length < 4 || slopes.length === 0) throw new RangeError(`${points.length} points have no slope`);
  const n = points.length;
  const spread = z * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const low = Math.max(0, Math.floor((slopes.length - spread) / 2) - 1);
  const high = Math.min(slopes.length - 1, Math.ceil((slopes.length + spread) / 2));
  return {
    value: ((slopes[(slopes.length - 1) >> 1] ?? 0) + (slopes[slopes.length >> 1] ?? 0)) / 2,
    low: slopes[low] ?? 0,
    high: slopes[high] ?? 0,
  };
}

function pairSlopes(points: readonly Point[]): Float64Array {
  const slopes: number[] = [];
  for (const [index, { x, y }] of points.entries()) {
    for (const other of points.slice(index + 1)) if (other.x !== x) slopes.push((other.y - y) / (other.x - x));
  }
  return Float64Array.from(slopes).sort();
}
