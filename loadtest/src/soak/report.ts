import Table from "cli-table3";
import { isClean } from "../load/verdict.ts";
import { expectedRefusals } from "./journeys.ts";
import { type Growth, warmUpSeconds } from "./judge-growth.ts";
import type { Soak } from "./run-soak.ts";
import type { FigureName } from "./sample.ts";

/** One thing that a soak must show, and whether it did. */
export interface Point {
  holds: boolean;
  text: string;
}

/** Of the calls, so many may get an answer that the mix does not ask for, e.g. while the machine stands still. */
const unexpectedShareMax = 0.001;

/** What the run must show, in words; the exit status is 0 only where all of it holds. */
export function pointsOf(soak: Soak, growths: readonly Growth[]): Point[] {
  const grown = growths.filter((it) => !it.holds).map(({ subject, figure }) => `${subject} ${figure}`);
  const unexpected = Object.entries(soak.refusals).filter(([code]) => !expectedRefusals.has(code));
  const answers = unexpected.reduce((sum, [, count]) => sum + count, 0);
  const listed = unexpected.map(([code, count]) => `${code} ${count}`).join(", ");
  const { seconds, turnedAway } = soak;
  const sums = (["lost", "phantom", "duplicate", "oversold"] as const).map(
    (kind) => `${kind} ${soak.verdicts.reduce((sum, it) => sum + it[kind], 0)}`,
  );
  return [
    { holds: grown.length === 0, text: grown.length === 0 ? "nothing grows" : `grows: ${grown.join(", ")}` },
    { holds: soak.restarted.length === 0, text: `processes that ended: ${soak.restarted.join(", ") || "none"}` },
    {
      holds: answers <= soak.calls * unexpectedShareMax,
      text: `${answers} of ${soak.calls} answers were not asked for${listed === "" ? "" : `: ${listed}`}`,
    },
    { holds: turnedAway === 0, text: `${turnedAway} arrivals turned away in ${Math.round(seconds)} s` },
    { holds: soak.verdicts.every(isClean), text: `against PostgreSQL: ${sums.join(", ")}` },
  ];
}

/** The report for people. */
export function printSoak(soak: Soak, growths: readonly Growth[]): string {
  const settings = Object.entries(soak.configuration).map(([name, value]) => `  ${name}: ${value}`);
  const table = new Table({
    head: ["process", "figure", "first", "last", "most", "slope", "95 % of it", "accepted", ""],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "left", "right", "right", "right", "right", "right", "right", "left"],
  });
  for (const growth of growths) table.push(rowOf(growth));
  const { calls, coupons, seconds } = soak;
  const warm = Math.round(warmUpSeconds(soak.samples.at(-1)?.seconds ?? 0));
  const points = pointsOf(soak, growths).map(({ holds, text }) => `  ${holds ? "✓" : "✗"} ${text}`);
  const findings = soak.verdicts.flatMap((it) => it.findings).map((it) => `    ${it}`);
  return [
    "configuration",
    ...settings,
    "",
    `${calls} calls (${Math.round(calls / seconds)}/s), ${coupons} coupons, ${soak.samples.length} looks;`,
    `judged after ${warm} s of warm-up; slopes are Theil–Sen, an hour unless said; requests are logged in ${soak.folder}`,
    table.toString(),
    ...points,
    ...findings,
  ].join("\n");
}

/** The one object that `--json` prints. */
export function soakToJson(soak: Soak, growths: readonly Growth[]): string {
  const points = pointsOf(soak, growths);
  return JSON.stringify({ ...soak, growths, points, holds: points.every((it) => it.holds) });
}

function rowOf({ subject, figure, rule, first, last, most, slope, limit, holds }: Growth): string[] {
  const { value, low, high } = slope;
  const each = rule.judge === "coupon" ? "/coupon" : "/h";
  const unit = rule.judge === "coupon" ? "B" : unitOf(figure);
  const range = `${shown(unit, low)} … ${shown(unit, high)}`;
  const accepted = limit === null ? "" : `${shown(unit, limit)}${rule.judge === "most" ? "" : each}`;
  const values = [first, last, most].map((it) => shown(unitOf(figure), it));
  return [subject, figure, ...values, shown(unit, value) + each, range, accepted, limit === null ? "" : mark(holds)];
}

const mark = (holds: boolean): string => (holds ? "✓" : "✗ grows");

type Unit = "MiB" | "B" | "s" | "ms" | "";

function unitOf(figure: FigureName): Unit {
  if (figure === "resident" || figure === "heap" || figure === "external") return "MiB";
  if (figure === "lag") return "s";
  return figure === "p99" ? "ms" : "";
}

function shown(unit: Unit, value: number): string {
  const amount = unit === "MiB" ? value / 2 ** 20 : value;
  return `${amount.toFixed(unit === "MiB" || unit === "s" || unit === "ms" ? 1 : 0)}${unit === "" ? "" : ` ${unit}`}`;
}
