import type { Random } from "./random.ts";
import { ACTIVE_MS, type Fault, ISSUING_PROCESSES, type Target, type WireName } from "./schedule.ts";

type Drawn = Fault extends infer One ? (One extends Fault ? Omit<One, "atMs"> : never) : never;

/** A few faults, of any kinds and at any times, so that they overlap as they like. */
export function drawFaults(random: Random): Fault[] {
  const count = random.int(2, 5);
  const faults = Array.from(
    { length: count },
    () => ({ atMs: random.int(100, ACTIVE_MS - 400), ...drawOne(random) }) as Fault,
  );
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawOne(random: Random): Drawn {
  const issuing: Target = `issuing-${random.int(0, ISSUING_PROCESSES - 1)}`;
  const target: Target = random.chance(0.75) ? issuing : "ledger-0";
  const wire: WireName = random.chance(0.6) ? `redis-${random.int(0, ISSUING_PROCESSES - 1)}` : "kafka";
  const forMs = random.int(50, 900);
  const downMs = random.int(0, 500);
  const direction = random.pick(["up", "down"] as const);
  return random.weighted<() => Drawn>([
    [10, () => ({ kind: "kill", target, downMs })],
    // Longer than a lease lives: the other process takes over meanwhile.
    [12, () => ({ kind: "stop", target, forMs: random.int(300, 2_000) })],
    [6, () => ({ kind: "term", target, downMs })],
    [6, () => ({ kind: "cut", wire })],
    [10, () => ({ kind: "cut-within", wire, direction, bytes: random.int(1, 20_000) })],
    [6, () => ({ kind: "delay", wire, delayMs: random.int(20, 400), forMs })],
    [10, () => ({ kind: "drop-replies", wire, forMs })],
    [4, () => ({ kind: "refuse", wire, forMs })],
    [8, () => ({ kind: "redis-wiped" })],
    [10, () => ({ kind: "redis-cut-short", keptShare: random.int(0, 1_000) / 1_000, downMs })],
    [5, () => ({ kind: "clock-step", minutes: random.pick([-30, -5, 5, 30, 180]) })],
    [5, () => ({ kind: "database-sessions-killed" })],
    [2, () => ({ kind: "broker-restart", downMs })],
  ])();
}
