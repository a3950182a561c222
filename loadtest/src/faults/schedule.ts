import { drawBatches, drawRuleChanges, type PlannedBatch, type RuleChange } from "./draw-batches.ts";
import { type ClientPlan, drawClients } from "./draw-steps.ts";
import { drawFault, type Fault, type FaultKind, faultWeights, type Shape } from "./fault.ts";
import { Random } from "./random.ts";

/** All that a run does, as data: it follows from the seed alone. */
export interface Schedule {
  seed: number;
  /** Processes of each service. */
  issuing: number;
  ledgers: number;
  /** How long clients go on at most. */
  lastsMs: number;
  /** Of hashes that spread users over shards, in hex. */
  hashKey: string;
  batches: PlannedBatch[];
  ruleChanges: RuleChange[];
  clients: ClientPlan[];
  /** In order of time. */
  faults: Fault[];
}

/** What a schedule may be made to have; what is not given is drawn. */
export interface Wishes {
  issuing?: number;
  batches?: PlannedBatch[];
}

const LASTS_MS = 4_000;
const CLIENTS = 14;
/** One of these in a schedule is enough: each takes a store away for seconds. */
const heavy: ReadonlySet<FaultKind> = new Set(["kafka-restart", "kafka-disk-full", "redis-failover"]);

export function drawSchedule(seed: number, wishes: Wishes = {}): Schedule {
  const random = new Random(seed);
  const issuing = wishes.issuing ?? random.whole(2, 3);
  const ledgers = random.whole(1, 2);
  const hashKey = random.bytes(32);
  const batches = wishes.batches ?? drawBatches(random);
  const shape = { issuing, ledgers, shards: batches.map(({ shards }) => shards) };
  return {
    ...{ seed, issuing, ledgers, lastsMs: LASTS_MS, hashKey: hashKey.toString("hex"), batches },
    ruleChanges: drawRuleChanges(random, batches, LASTS_MS),
    clients: drawClients(random, batches, hashKey, CLIENTS),
    faults: drawFaults(random, shape),
  };
}

/** Of the nth issuing process in a place: by it the owners of partitions are chosen, the same ones for the same seed. */
export function processId({ seed, hashKey }: Pick<Schedule, "seed" | "hashKey">, index: number, nth: number): string {
  return `p${seed}-${hashKey.slice(0, 8)}-${index}-${nth}`;
}

function drawFaults(random: Random, shape: Shape): Fault[] {
  const faults: Fault[] = [];
  const count = random.whole(2, 5);
  while (faults.length < count) {
    const kind = random.weighted(faultWeights);
    const drawn = { atMs: random.whole(150, LASTS_MS - 500), ...drawFault(kind, random, shape) };
    if (!clashes(kind, faults)) faults.push(drawn);
  }
  return faults.sort((one, other) => one.atMs - other.atMs);
}

function clashes(kind: FaultKind, faults: readonly Fault[]): boolean {
  const kinds = faults.map((fault) => fault.kind);
  return heavy.has(kind) && kinds.some((one) => heavy.has(one));
}
