import type { Random } from "./random.ts";
import type { Damage } from "./redis-part.ts";

/** When on its way a script call is cut. */
export type Moment = "before" | "during" | "after";

/** What is done to the platform; `index` names an issuing process or a ledger by its place. */
export type FaultAction =
  | { kind: "redis-cut"; index: number; moment: Moment }
  | { kind: "redis-delay"; index: number; delayMs: number; lastsMs: number }
  | { kind: "redis-drop-replies"; index: number; lastsMs: number }
  | { kind: "redis-script-again"; index: number; afterMs: number }
  | { kind: "redis-restart"; signal: "SIGKILL" | "SIGTERM"; awayMs: number }
  /** Cut at the byte `at`, counted round and round in what there is to cut. */
  | { kind: "redis-truncate"; damage: Damage; at: number; awayMs: number }
  | { kind: "redis-wipe" }
  /** The replica lags that long when it is promoted; processes whose bit isn't set still reach the old master. */
  | { kind: "redis-failover"; lagMs: number; moved: number; oldMasterMs: number }
  | { kind: "kafka-cut"; process: ProcessName; moment: Moment }
  | { kind: "kafka-delay"; process: ProcessName; delayMs: number; lastsMs: number }
  | { kind: "kafka-drop-replies"; process: ProcessName; lastsMs: number }
  | { kind: "kafka-double-replies"; process: ProcessName; lastsMs: number }
  | { kind: "kafka-pause"; lastsMs: number }
  | { kind: "kafka-restart"; signal: "SIGKILL" | "SIGTERM"; awayMs: number }
  | { kind: "kafka-disk-full"; fullMs: number }
  | { kind: "postgres-cut" }
  | { kind: "postgres-delay"; delayMs: number; lastsMs: number }
  | { kind: "postgres-restart"; awayMs: number }
  | { kind: "process-kill"; process: ProcessName; awayMs: number }
  | { kind: "process-stop"; process: ProcessName; lastsMs: number }
  | { kind: "process-term"; process: ProcessName; awayMs: number }
  | { kind: "second-ledger"; lastsMs: number }
  | { kind: "clock-step"; batch: number; shard: number; minutes: number };

export type FaultKind = FaultAction["kind"];
export interface ProcessName {
  service: "issuing" | "ledger";
  index: number;
}

/** A fault and when it begins, counted from the beginning of the workload. */
export type Fault = FaultAction & { atMs: number };

/** How many of each there are, for faults to pick from. */
export interface Shape {
  issuing: number;
  ledgers: number;
  /** Shards of each batch. */
  shards: readonly number[];
}

/** How often each is drawn. Faults that stop a whole store take seconds to get over, so they are rarer. */
export const faultWeights: Readonly<Record<FaultKind, number>> = {
  "redis-cut": 12,
  "redis-delay": 6,
  "redis-drop-replies": 6,
  "redis-script-again": 6,
  "redis-restart": 5,
  "redis-truncate": 8,
  "redis-wipe": 5,
  "redis-failover": 7,
  "kafka-cut": 7,
  "kafka-delay": 4,
  "kafka-drop-replies": 5,
  "kafka-double-replies": 4,
  "kafka-pause": 3,
  "kafka-restart": 2,
  "kafka-disk-full": 1,
  "postgres-cut": 3,
  "postgres-delay": 2,
  "postgres-restart": 3,
  "process-kill": 9,
  "process-stop": 9,
  "process-term": 5,
  "second-ledger": 4,
  "clock-step": 6,
};

/** How often an append-only file is damaged so; all but the first mostly keep Redis from starting. */
const damageWeights: Readonly<Record<Damage, number>> = { cut: 8, cut_strictly: 1, garbage: 2, base: 1, manifest: 1 };
const AT_MAX = 2 ** 31 - 1;

const moments = ["before", "during", "after"] as const;

/** Draws what a fault of that kind does. */
export function drawFault(kind: FaultKind, random: Random, shape: Shape): FaultAction {
  const index = random.whole(0, shape.issuing - 1);
  const process = drawProcess(random, shape);
  const lastsMs = random.whole(200, 1_800);
  const awayMs = random.whole(0, 800);
  switch (kind) {
    case "redis-cut":
      return { kind, index, moment: random.pick(moments) };
    case "redis-delay":
      return { kind, index, delayMs: random.whole(5, 700), lastsMs };
    case "redis-drop-replies":
      return { kind, index, lastsMs };
    case "redis-script-again":
      return { kind, index, afterMs: random.whole(0, 150) };
    case "redis-restart":
      return { kind, signal: random.pick(["SIGKILL", "SIGTERM"] as const), awayMs };
    case "redis-truncate":
      return { kind, damage: random.weighted(damageWeights), at: random.whole(0, AT_MAX), awayMs };
    case "redis-wipe":
      return { kind };
    case "redis-failover":
      return {
        ...{ kind, lagMs: random.whole(0, 600), moved: random.whole(1, 2 ** shape.issuing - 1) },
        oldMasterMs: random.whole(200, 2_000),
      };
    case "kafka-cut":
      return { kind, process, moment: random.pick(moments) };
    case "kafka-delay":
      return { kind, process, delayMs: random.whole(20, 1_800), lastsMs };
    case "kafka-drop-replies":
    case "kafka-double-replies":
      return { kind, process, lastsMs };
    case "kafka-pause":
      return { kind, lastsMs: random.whole(300, 2_500) };
    case "kafka-restart":
      return { kind, signal: random.pick(["SIGKILL", "SIGTERM"] as const), awayMs };
    case "kafka-disk-full":
      return { kind, fullMs: random.whole(300, 1_500) };
    case "postgres-cut":
      return { kind };
    case "postgres-delay":
      return { kind, delayMs: random.whole(10, 600), lastsMs };
    case "postgres-restart":
      return { kind, awayMs };
    case "process-kill":
    case "process-term":
      return { kind, process, awayMs };
    case "process-stop":
      // Beyond a lease, so that most stand still over their take-over.
      return { kind, process, lastsMs: random.whole(300, 3_000) };
    case "second-ledger":
      return { kind, lastsMs: random.whole(500, 3_000) };
    case "clock-step": {
      const batch = random.whole(0, shape.shards.length - 1);
      return {
        ...{ kind, batch, shard: random.whole(0, (shape.shards[batch] ?? 1) - 1) },
        minutes: random.whole(-30, 30),
      };
    }
  }
}

function drawProcess(random: Random, shape: Shape): ProcessName {
  if (random.chance(75)) return { service: "issuing", index: random.whole(0, shape.issuing - 1) };
  return { service: "ledger", index: random.whole(0, shape.ledgers - 1) };
}
