import type { BatchDefinition } from "@coupon/domain";

/** How long clients are at work, and faults come. */
export const ACTIVE_MS = 2_500;
export const ISSUING_PROCESSES = 2;

/** What happens in one run: all of it follows from the seed. Times count from the start of the workload. */
export interface Schedule {
  seed: number;
  /** Of batch ids, user slots and shards: the run's hash key, in hex. */
  hashKey: string;
  batches: BatchPlan[];
  clients: ClientPlan[];
  faults: Fault[];
  /** A second ledger: of the same group, so that they share partitions; or of another, so that both apply all. */
  secondLedger: "none" | "shares" | "rivals";
}

export interface BatchPlan {
  batchNumber: number;
  change: Partial<BatchDefinition>;
}

/** What one client does, one step after the other. */
export interface ClientPlan {
  name: string;
  steps: Step[];
}

export interface Step {
  /** Rest before it. */
  afterMs: number;
  /** Which issuing process is asked. */
  at: number;
  /** How often it is asked at most while it answers "not now" or nothing. */
  tries: number;
  ask: Ask;
}

export type Ask =
  | { do: "claim"; batch: number; user: string; key: string }
  | { do: "grant"; batch: number; grants: { user: string; key: string }[] }
  | { do: "lock"; batch: number; user: string; order: string; size: number; holdSeconds: number }
  /** In one step where a size is given, else of what is held. */
  | { do: "redeem"; batch: number; user: string; order: string; size: number | null }
  | { do: "release"; batch: number; user: string; order: string }
  /** All that is left where no quantity is given. */
  | { do: "reverse"; batch: number; user: string; order: string; key: string; quantity: number | null }
  | { do: "publish"; batch: number; change: Partial<BatchDefinition> };

/** Processes by name: issuing-0, issuing-1, ledger-0, ledger-1. */
export type Target = `${"issuing" | "ledger"}-${number}`;
/** The connections of one issuing process to Redis, or everybody's to the broker. */
export type WireName = `redis-${number}` | "kafka";

export type Fault = { atMs: number } & (
  | { kind: "kill" | "term"; target: Target; downMs: number }
  | { kind: "stop"; target: Target; forMs: number }
  | { kind: "cut"; wire: WireName }
  | { kind: "cut-within"; wire: WireName; direction: "up" | "down"; bytes: number }
  | { kind: "delay"; wire: WireName; delayMs: number; forMs: number }
  | { kind: "drop-replies"; wire: WireName; forMs: number }
  | { kind: "refuse"; wire: WireName; forMs: number }
  | { kind: "redis-wiped" }
  /** `keptShare` of what this run has appended to the file. */
  | { kind: "redis-cut-short"; keptShare: number; downMs: number }
  | { kind: "clock-step"; minutes: number }
  | { kind: "database-sessions-killed" }
  | { kind: "broker-restart"; downMs: number }
);

/** What a summary counts a fault under. */
export function kindOf(fault: Fault): string {
  if ("target" in fault) return `${fault.target.split("-")[0]} ${fault.kind}`;
  if ("wire" in fault) return `${fault.wire.split("-")[0]} ${fault.kind}`;
  return fault.kind;
}
