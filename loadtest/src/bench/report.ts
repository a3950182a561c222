import Table from "cli-table3";
import { judgeMeasure, type Measure, measureRules, ruleOf } from "./measures.ts";

/** What made the numbers: machine, versions, settings. */
export type Configuration = Record<string, string | number>;

export interface Measured {
  configuration: Configuration;
  measures: readonly Measure[];
  json: boolean;
}

/** What a run prints of what it has measured, in the rules' order; null where that is nothing. */
export function printMeasured({ configuration, measures, json }: Measured): string | null {
  if (measures.length === 0) return null;
  const sorted = measureRules.flatMap(({ id }) => measures.filter((it) => it.id === id));
  return json ? toJson(configuration, sorted) : printReport(configuration, sorted);
}

/** The table for people: configuration first, then a line for each measure with its spread. */
export function printReport(configuration: Configuration, measures: readonly Measure[]): string {
  const settings = Object.entries(configuration).map(([name, value]) => `  ${name}: ${value}`);
  const table = new Table({
    head: ["id", "measure", "median", "spread", "floor", "aim", ""],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "right", "right", "right", "right", "left"],
  });
  for (const measure of measures) {
    const { title, better } = ruleOf(measure.id);
    const sign = better === "more" ? "≥" : "≤";
    table.push([
      measure.id,
      title,
      format(measure, measure.value),
      spreadOf(measure),
      `${sign} ${format(measure, measure.floor)}`,
      `${sign} ${format(measure, measure.aim)}`,
      judgeMeasure(measure),
    ]);
  }
  const notes = measures.filter((it) => it.note !== "").map((it) => `  ${it.id}: ${it.note}`);
  return ["configuration", ...settings, "", table.toString(), "", ...notes].join("\n");
}

/** The one object that `--json` prints. */
export function toJson(configuration: Configuration, measures: readonly Measure[]): string {
  const fields = measures.map(({ id, value, unit, floor, aim, samples }) => ({ id, value, unit, floor, aim, samples }));
  return JSON.stringify({ configuration, measures: fields });
}

function spreadOf(measure: Measure): string {
  const least = format(measure, Math.min(...measure.samples));
  const most = format(measure, Math.max(...measure.samples));
  return `${least}–${most} (${measure.samples.length})`;
}

function format({ unit }: Measure, value: number): string {
  if (unit === "ratio") return value.toFixed(2);
  return unit === "s" ? `${value.toFixed(2)} s` : `${value.toFixed(1)} B`;
}
