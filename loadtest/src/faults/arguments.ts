import { parseArgs } from "node:util";

export interface FaultsArguments {
  seeds: number;
  start: number;
  /** Begin no schedule after that many seconds; 0 is no limit. */
  seconds: number;
}

/** Reads `--seeds n --start n [--seconds n]`. Throws with one sentence where they can't be read. */
export function readArguments(args: string[]): FaultsArguments {
  const { values } = parseArgs({
    args: args.filter((it) => it !== "--"),
    options: {
      seeds: { type: "string", default: "20" },
      start: { type: "string", default: "1" },
      seconds: { type: "string", default: "0" },
    },
  });
  return {
    seeds: whole("seeds", values.seeds, 1, 100_000),
    start: whole("start", values.start, 0, 2_000_000_000),
    seconds: whole("seconds", values.seconds, 0, 86_400),
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`--${name} is a whole number from ${least} to ${most}`);
}
