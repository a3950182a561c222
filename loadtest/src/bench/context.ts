import { type LocalStack, readLogEnds, untilApplied } from "@coupon/demo";
import type { Generator } from "../generator/generator.ts";
import type { Clients } from "./clients.ts";

/** What every measurement is given. */
export interface BenchContext extends Clients {
  local: LocalStack;
  generator: Generator;
  /** For feeds. */
  folder: string;
  rounds: number;
  /** Says on standard error what goes on. */
  progress: (text: string) => void;
}

export const connections = 256;
export const warmUpMs = 1_000;
export const durationMs = 4_000;

/** Waits until the ledger has all that is in the log, so that no sample pays for what another left behind. */
export async function untilQuiet({ reader, local, pool }: BenchContext): Promise<void> {
  await untilApplied(pool, await readLogEnds(reader, local.log.partitions), 300_000);
}
