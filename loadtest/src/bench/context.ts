import type { CouponClient } from "@coupon/client";
import type { Pool } from "@coupon/database";
import { type DemoCaller, type Desk, type LocalStack, readLogEnds, untilApplied } from "@coupon/demo";
import type { LogReader } from "@coupon/events";
import type { Generator } from "../generator/generator.ts";

/** What every measurement is given. */
export interface BenchContext {
  local: LocalStack;
  desk: Desk;
  caller: DemoCaller;
  client: CouponClient;
  pool: Pool;
  reader: LogReader;
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
