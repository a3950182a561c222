import { parseArgs } from "node:util";
import { type MeasureId, measureRules } from "./measures.ts";

export interface BenchArguments {
  json: boolean;
  /** Rounds of the interleaved measures. */
  rounds: number;
  /** In the order of the table. */
  ids: MeasureId[];
}

/** Reads `[--json] [--rounds n] [ids…]`; without ids, all. Throws with one sentence where they can't be read. */
export function readArguments(args: string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: args.filter((it) => it !== "--"),
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } },
  });
  const known = measureRules.map((it) => it.id);
  const unknown = positionals.filter((it) => !known.includes(it as MeasureId));
  if (unknown.length > 0) throw new Error(`There is no measure ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new Error("--rounds is a number from 1 to 50");
  const ids = positionals.length === 0 ? known : known.filter((it) => positionals.includes(it));
  return { json: values.json, rounds, ids };
}
