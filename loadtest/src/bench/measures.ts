/** What `npm run bench` measures, with the least that is accepted (floor) and what is aimed at. */
export interface MeasureRule {
  id: string;
  title: string;
  unit: "ratio" | "B" | "s";
  floor: number;
  aim: number;
  /** Whether more is better; else floor and aim are upper bounds. */
  better: "more" | "less";
}

export const measureRules = [
  { id: "claim", title: "claim ÷ signed echo", unit: "ratio", floor: 0.8, aim: 0.95, better: "more" },
  { id: "claim_bare", title: "claim ÷ bare echo", unit: "ratio", floor: 0.55, aim: 0.75, better: "more" },
  {
    id: "claim_cpu",
    title: "CPU time of a claim ÷ of a signed echo",
    unit: "ratio",
    floor: 1.3,
    aim: 1.1,
    better: "less",
  },
  {
    id: "grants",
    title: "grants of 500 a request ÷ the script alone in batches of 500",
    unit: "ratio",
    floor: 0.6,
    aim: 0.85,
    better: "more",
  },
  { id: "redeem", title: "redeem in one step ÷ signed echo", unit: "ratio", floor: 0.65, aim: 0.85, better: "more" },
  { id: "sold_out", title: "sold-out refusal ÷ signed echo", unit: "ratio", floor: 0.85, aim: 0.97, better: "more" },
  {
    id: "bytes_1m",
    title: "hot Redis memory of a coupon, at 1 million",
    unit: "B",
    floor: 40,
    aim: 24,
    better: "less",
  },
  {
    id: "bytes_10m",
    title: "hot Redis memory of a coupon, at 10 million",
    unit: "B",
    floor: 40,
    aim: 24,
    better: "less",
  },
  {
    id: "ledger",
    title: "ledger rows, log to commit ÷ the same statements alone",
    unit: "ratio",
    floor: 0.7,
    aim: 0.85,
    better: "more",
  },
  {
    id: "catch_up",
    title: "time until the ledger has 60 s of claims ÷ 60 s",
    unit: "ratio",
    floor: 1,
    aim: 0.5,
    better: "less",
  },
  {
    id: "take_over",
    title: "first success of its partitions after kill -9",
    unit: "s",
    floor: 5,
    aim: 2,
    better: "less",
  },
  {
    id: "proof_cost",
    title: "claims with the running proof ÷ without",
    unit: "ratio",
    floor: 0.95,
    aim: 0.99,
    better: "more",
  },
  {
    id: "rebuild",
    title: "rebuild of wiped shards ÷ a bare pipelined load of the same keys",
    unit: "ratio",
    floor: 0.5,
    aim: 0.9,
    better: "more",
  },
  {
    id: "isolation",
    title: "other shards' claims while one recovers ÷ before",
    unit: "ratio",
    floor: 0.8,
    aim: 0.95,
    better: "more",
  },
  {
    id: "overload",
    title: "goodput at 5 times the peak's arrivals ÷ at the peak",
    unit: "ratio",
    floor: 0.9,
    aim: 0.95,
    better: "more",
  },
  {
    id: "overload_latency",
    title: "latency of what is served at 5 times the peak's arrivals ÷ at 70 %",
    unit: "ratio",
    floor: 3,
    aim: 2,
    better: "less",
  },
  {
    id: "overload_critical",
    title: "redemptions, releases and reversals that succeed meanwhile",
    unit: "ratio",
    floor: 0.99,
    aim: 1,
    better: "more",
  },
  {
    id: "overload_memory",
    title: "resident memory of issuing after the overload ÷ before",
    unit: "ratio",
    floor: 1.5,
    aim: 1.1,
    better: "less",
  },
  // No floor is demanded: a figure that is merely reported stays below ten minutes.
  { id: "audit", title: "audit of 3 million coupons", unit: "s", floor: 600, aim: 60, better: "less" },
] as const satisfies readonly MeasureRule[];

export type MeasureId = (typeof measureRules)[number]["id"];

/** One measure as it was found. `value` is the median of `samples`. */
export interface Measure {
  id: MeasureId;
  value: number;
  unit: MeasureRule["unit"];
  floor: number;
  aim: number;
  samples: number[];
  /** What the samples were made of, in words. */
  note: string;
}

export type Judgement = "AIM" | "FLOOR" | "MISS";

/** Makes a measure of its samples. Throws where there is none: that is a failure to measure. */
export function toMeasure(id: MeasureId, samples: number[], note: string): Measure {
  const { unit, floor, aim } = ruleOf(id);
  if (samples.length === 0 || samples.some((it) => !Number.isFinite(it) || it < 0)) {
    throw new Error(`${id} could not be measured: its samples are [${samples.join(", ")}]`);
  }
  return { id, value: median(samples), unit, floor, aim, samples, note };
}

export function ruleOf(id: MeasureId): MeasureRule {
  const rule = measureRules.find((it) => it.id === id);
  if (rule === undefined) throw new Error(`There is no measure ${id}`);
  return rule;
}

/** Whether a value reaches the aim, only the floor, or misses both. */
export function judgeMeasure({ id, value }: Pick<Measure, "id" | "value">): Judgement {
  const { floor, aim, better } = ruleOf(id);
  const reaches = (bound: number) => (better === "more" ? value >= bound : value <= bound);
  if (reaches(aim)) return "AIM";
  return reaches(floor) ? "FLOOR" : "MISS";
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
