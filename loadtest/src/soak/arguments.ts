import { parseArgs } from "node:util";
import { maxArrivals } from "../load/profile.ts";

export interface SoakArguments {
  minutes: number;
  /** Arrivals a second. */
  perSecond: number;
  json: boolean;
}

const maxMinutes = 240;
const maxPerSecond = 2_000;

/**
 * Reads `[--minutes n] [--per-second n] [--json]`. Throws with one sentence where they can't be read, or where the run
 * would not be within its bounds.
 */
export function readArguments(args: string[]): SoakArguments {
  const { values } = parseArgs({
    args: args.filter((it) => it !== "--"),
    options: {
      minutes: { type: "string", default: "30" },
      "per-second": { type: "string", default: "150" },
      json: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  const perSecond = Number(values["per-second"]);
  if (!(minutes > 0 && minutes <= maxMinutes)) throw new Error(`--minutes is a number up to ${maxMinutes}`);
  if (!Number.isInteger(perSecond) || perSecond < 1 || perSecond > maxPerSecond) {
    throw new Error(`--per-second is a whole number from 1 to ${maxPerSecond}`);
  }
  const arrivals = minutes * 60 * perSecond;
  if (arrivals > maxArrivals) throw new Error(`that would be ${arrivals} arrivals; a run has ${maxArrivals} at most`);
  return { minutes, perSecond, json: values.json };
}
