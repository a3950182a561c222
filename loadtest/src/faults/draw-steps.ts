import { shardOf } from "@coupon/redis";
import type { PlannedBatch } from "./draw-batches.ts";
import type { Random } from "./random.ts";

/** What a step has besides what it does. */
interface StepBase {
  /** Waited before it. */
  pauseMs: number;
  /** Sent that often at once: a request that was doubled on its way. */
  copies: number;
  /** How often it is asked again while its outcome is unknown or not now. */
  repeats: number;
}

/** `pick` chooses among the coupons that are known when the step begins; `content` among a few orders. */
export type Step = StepBase &
  (
    | { op: "claim"; batch: number; user: string; key: string }
    | { op: "grant"; batch: number; grants: { user: string; key: string }[] }
    | { op: "lock"; pick: number; order: number; content: number; holdSeconds: number; thief: boolean }
    | { op: "redeem"; pick: number; order: number; content: number | null; thief: boolean }
    | { op: "release"; pick: number; order: number }
    | { op: "reverse"; pick: number; order: number; key: string; quantity: number; named: boolean }
    | { op: "read"; pick: number; what: "coupon" | "order" | "coupons" }
  );

export interface ClientPlan {
  name: string;
  steps: Step[];
}

const STEPS = 90;
const HOT_USERS = 25;
const CROWD = 2_000;

const weights = { claim: 42, grant: 7, lock: 13, redeem: 15, release: 6, reverse: 9, read: 8 };

/** A third of the clients are a crowd at the batches that are to be emptied; the others do everything else. */
export function drawClients(
  random: Random,
  batches: readonly PlannedBatch[],
  hashKey: Buffer,
  count: number,
): ClientPlan[] {
  const crowds = batches.flatMap((batch, index) =>
    batch.purpose === "drain" ? [new Crowd(random, index, batch.shards, hashKey)] : [],
  );
  const mixed = batches.flatMap((batch, index) => (batch.purpose === "drain" ? [] : [index]));
  return Array.from({ length: count }, (_, client) => {
    const crowd = mixed.length === 0 || client % 3 === 0 ? random.pick(crowds) : null;
    const draw = () => (crowd === null ? drawStep(random, mixed) : crowd.step(random));
    return { name: `client-${client}`, steps: Array.from({ length: STEPS }, draw) };
  });
}

/** Users of a batch of several shards, most of whom belong to the first. */
class Crowd {
  readonly #batch: number;
  readonly #hot: string[] = [];
  readonly #others: string[] = [];

  constructor(random: Random, batch: number, shards: number, hashKey: Buffer) {
    this.#batch = batch;
    const name = random.whole(0, 999_999);
    for (let user = 0; user < CROWD; user += 1) {
      const id = `crowd-${name}-${user}`;
      (shardOf(hashKey, batch + 1, id, shards) === 0 ? this.#hot : this.#others).push(id);
    }
  }

  step(random: Random): Step {
    const user = random.chance(85) ? this.#hot.pop() : this.#others.pop();
    return {
      ...base(random),
      ...{ op: "claim", batch: this.#batch, user: user ?? `late-${random.whole(0, 1e9)}`, key: "k" },
    };
  }
}

function base(random: Random): StepBase {
  return {
    pauseMs: random.chance(60) ? 0 : random.whole(1, 60),
    copies: random.chance(8) ? 2 : 1,
    repeats: random.chance(15) ? 0 : random.whole(1, 20),
  };
}

function drawStep(random: Random, batches: readonly number[]): Step {
  const common = base(random);
  const batch = random.pick(batches);
  const pick = random.skewed(40);
  const order = random.whole(0, 2);
  switch (random.weighted(weights)) {
    case "claim":
      return { ...common, op: "claim", batch, ...drawAsk(random) };
    case "grant":
      return { ...common, op: "grant", batch, grants: distinct(random) };
    case "lock":
      return {
        ...{ ...common, op: "lock", pick, order, content: random.skewed(3) },
        ...{ holdSeconds: random.pick([10, 600, 3_600]), thief: random.chance(5) },
      };
    case "redeem":
      return {
        ...{ ...common, op: "redeem", pick, order, content: random.chance(60) ? random.skewed(3) : null },
        thief: random.chance(5),
      };
    case "release":
      return { ...common, op: "release", pick, order };
    case "reverse":
      return {
        ...{ ...common, op: "reverse", pick, order, key: `r${random.whole(0, 2)}` },
        ...{ quantity: random.whole(0, 2), named: random.chance(80) },
      };
    case "read":
      return { ...common, op: "read", pick, what: random.pick(["coupon", "order", "coupons"] as const) };
  }
}

function drawAsk(random: Random): { user: string; key: string } {
  return { user: `user-${random.skewed(HOT_USERS)}`, key: `k${random.whole(0, 4)}` };
}

/** A request names each key of a user once. */
function distinct(random: Random): { user: string; key: string }[] {
  const asks = Array.from({ length: random.whole(1, 8) }, () => drawAsk(random));
  return [...new Map(asks.map((ask) => [`${ask.user} ${ask.key}`, ask])).values()];
}
