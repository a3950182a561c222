import { median } from "../bench/measures.ts";
import { kindOf, type Rule, rules } from "./rules.ts";
import type { FigureName, Sample } from "./sample.ts";
import { type Point, type Slope, slopeOf } from "./slope.ts";

/** What became of one figure of one process after the warm-up. */
export interface Growth {
  subject: string;
  figure: FigureName;
  rule: Rule;
  /** Medians of the first and of the last tenth of the looks. */
  first: number;
  last: number;
  /** The largest that a look found. */
  most: number;
  /** An hour; for `coupon`, a coupon. */
  slope: Slope;
  /** The greatest slope, or the greatest value, that is accepted; null where nothing is judged. */
  limit: number | null;
  holds: boolean;
}

const warmUpShare = 1 / 3;
const warmUpSecondsMax = 600;
const secondsPerHour = 3_600;
/** Fewer looks decide nothing. */
const fewestLooks = 8;

/** Seconds at the beginning of a run that are not judged: caches fill, code is compiled, pools open. */
export function warmUpSeconds(runSeconds: number): number {
  return Math.min(warmUpSecondsMax, runSeconds * warmUpShare);
}

/**
 * Judges every figure of every process by its rule.
 *
 * @throws Error where there were too few looks after the warm-up to judge by
 */
export function judgeGrowth(samples: readonly Sample[], requestsPerSecond: number): Growth[] {
  const warm = warmUpSeconds(samples.at(-1)?.seconds ?? 0);
  const looks = samples.filter((it) => it.seconds >= warm);
  if (looks.length < fewestLooks) {
    throw new Error(`${looks.length} looks after the warm-up are too few to judge by: let it run longer`);
  }
  const subjects = [...new Set(looks.flatMap((it) => Object.keys(it.figures)))];
  return subjects.flatMap((subject) =>
    Object.entries(rules[kindOf(subject)]).flatMap(([name, rule]) => {
      const figure = name as FigureName;
      const points = pointsOf(looks, subject, figure, rule);
      return points.length === 0 ? [] : [judgeFigure(subject, figure, rule, points, requestsPerSecond)];
    }),
  );
}

/** A process that did not answer every look has ended meanwhile: that is for the caller to find. */
function pointsOf(looks: readonly Sample[], subject: string, figure: FigureName, rule: Rule): Point[] {
  return looks.flatMap(({ seconds, coupons, figures }) => {
    const y = figures[subject]?.[figure];
    return y === undefined ? [] : [{ x: rule.judge === "coupon" ? coupons : seconds / secondsPerHour, y }];
  });
}

function judgeFigure(subject: string, figure: FigureName, rule: Rule, points: Point[], perSecond: number): Growth {
  const tenth = Math.max(1, Math.floor(points.length / 10));
  const values = points.map((it) => it.y);
  const first = median(values.slice(0, tenth));
  const last = median(values.slice(-tenth));
  const most = Math.max(...values);
  const slope = slopeOf(points);
  const limit = limitOf(rule, perSecond);
  const hours = (points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0);
  const grows = {
    slope: () => slope.value > (limit ?? 0) && slope.low > 0 && slope.value * hours > leastOf(rule),
    coupon: () => slope.value > (limit ?? 0),
    most: () => most > (limit ?? 0),
    shown: () => false,
  };
  const holds = !grows[rule.judge === "request" ? "slope" : rule.judge]();
  return { subject, figure, rule, first, last, most, slope, limit, holds };
}

function limitOf(rule: Rule, requestsPerSecond: number): number | null {
  switch (rule.judge) {
    case "slope":
      return rule.perHour;
    case "request":
      return rule.perRequest * requestsPerSecond * secondsPerHour;
    case "coupon":
      return rule.perCoupon;
    case "most":
      return rule.most;
    case "shown":
      return null;
  }
}

function leastOf(rule: Rule): number {
  return rule.judge === "slope" || rule.judge === "request" ? rule.least : 0;
}
