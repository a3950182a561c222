import { createHash } from "node:crypto";
import { shardOf } from "@coupon/redis";
import { drawFaults } from "./draw-faults.ts";
import { Random } from "./random.ts";
import { type Ask, type BatchPlan, type ClientPlan, ISSUING_PROCESSES, type Schedule, type Step } from "./schedule.ts";

const CROWDED_SHARDS = 4;
const CLIENTS = 8;
const STEPS = 70;

/** Where each kind of step is at home. */
interface Batches {
  /** Much stock; coupons go through orders. */
  orders: number;
  /** Little stock, limits, rules that change. */
  scarce: number;
  /** Several shards, and a crowd at one of them. */
  crowded: number;
}

/** Everything that a run with this seed does. The same seed draws the same again. */
export function drawSchedule(seed: number): Schedule {
  const random = new Random(seed);
  const hashKey = createHash("sha256").update(`faults/${seed}`).digest();
  const first = random.int(1, 900);
  const batches = { orders: first, scarce: first + 1, crowded: first + 2 };
  const users = crowd(random, hashKey, batches.crowded);
  return {
    seed,
    hashKey: hashKey.toString("hex"),
    batches: plans(random, batches),
    clients: Array.from({ length: CLIENTS }, (_, client) => drawClient(random, client, batches, users)),
    secondLedger: random.weighted([
      [2, "none"],
      [1, "shares"],
      [2, "rivals"],
    ]),
    faults: drawFaults(random),
  };
}

function plans(random: Random, { orders, scarce, crowded }: Batches): BatchPlan[] {
  const perDay = random.chance(0.4) ? { perDay: random.int(8, 20) } : {};
  return [
    { batchNumber: orders, change: { stock: { total: 1_000, perUser: 2 } } },
    { batchNumber: scarce, change: { stock: { total: random.int(15, 40), perUser: random.int(1, 3), ...perDay } } },
    { batchNumber: crowded, change: { shards: CROWDED_SHARDS, stock: { total: random.int(30, 60), perUser: 1 } } },
  ];
}

/** Users of whom most belong to one shard. */
function crowd(random: Random, hashKey: Buffer, batch: number): string[] {
  const hot = random.int(0, CROWDED_SHARDS - 1);
  const users = Array.from({ length: 400 }, (_, user) => `c${user}`);
  const atHot = users.filter((user) => shardOf(hashKey, batch, user, CROWDED_SHARDS) === hot);
  const others = users.filter((user) => !atHot.includes(user));
  return [...atHot.slice(0, 50), ...others.slice(0, 15)];
}

function drawClient(random: Random, client: number, batches: Batches, crowded: string[]): ClientPlan {
  const steps = Array.from({ length: STEPS }, (): Step => {
    return {
      afterMs: random.chance(0.4) ? 0 : random.int(1, 60),
      at: random.int(0, ISSUING_PROCESSES - 1),
      tries: random.int(1, 4),
      ask: drawAsk(random, batches, crowded),
    };
  });
  return { name: `client-${client}`, steps };
}

function drawAsk(random: Random, batches: Batches, crowded: string[]): Ask {
  const user = random.chance(0.3) ? "u0" : `u${random.int(1, 7)}`;
  const key = `k${random.int(1, 3)}`;
  const of = { batch: batches.orders, user, order: `${user}-${random.pick(["a", "b", "c"])}` };
  const size = random.chance(0.85) ? 2 : 3;
  const draw = random.weighted<() => Ask>([
    [16, () => ({ do: "claim", batch: batches.orders, user, key })],
    [18, () => ({ do: "claim", batch: batches.scarce, user: `s${random.int(0, 24)}`, key })],
    [18, () => ({ do: "claim", batch: batches.crowded, user: random.pick(crowded), key })],
    [8, () => ({ do: "grant", batch: random.pick([batches.orders, batches.scarce]), grants: drawGrants(random) })],
    [12, () => ({ do: "lock", ...of, size, holdSeconds: random.pick([60, 600]) })],
    [14, () => ({ do: "redeem", ...of, size: random.chance(0.5) ? size : null })],
    [6, () => ({ do: "release", ...of })],
    [9, () => ({ do: "reverse", ...of, key: `r${random.int(1, 3)}`, quantity: random.pick([1, 2, null]) })],
    [1, () => ({ do: "publish", batch: batches.scarce, change: { state: random.pick(["paused", "issuing"]) } })],
  ]);
  return draw();
}

function drawGrants(random: Random): { user: string; key: string }[] {
  const count = random.int(1, 5);
  return Array.from({ length: count }, (_, each) => ({ user: `u${random.int(0, 9)}`, key: `g${each}` }));
}
