import { hash } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { RedisUnavailable } from "./errors.ts";
import { Gathered } from "./gathered.ts";
import { createKeys } from "./keys.ts";
import { loadScript, runScript } from "./scripts.ts";

/**
 * Ties an order to the coupons that it was first asked with, across shards, for as long as it is kept: the same
 * order with other coupons is a conflict. `order` is callerId + "/" + orderId; the order of the ids is of no account.
 */
export interface OrderGuard {
  /** `first` made the tie, `same` found it, `other` found one to other coupons; `unavailable`: Redis can't be asked. */
  claim(order: string, couponIds: readonly string[], keptMs: number): Promise<TieOutcome>;
  /** Takes back one `claim`; the last one to do so unties the order. Where Redis can't be asked the tie runs out. */
  giveBack(order: string, couponIds: readonly string[]): Promise<void>;
  /** Unties the order from these coupons, whoever relies on it. Where Redis can't be asked the tie runs out by itself. */
  forget(order: string, couponIds: readonly string[]): Promise<void>;
}

export type TieOutcome = "first" | "same" | "other" | "unavailable";

interface Tie {
  key: string;
  names: string;
  /** Time to live of a tie, or "1" where it is untied only if nobody else relies on it. */
  argument: string;
}

const tieScript = loadScript("orders-tie");
const untieScript = loadScript("orders-untie");

/** Orders in one script call: 512 take Redis about 1 ms. */
const ORDERS_MAX = 512;
/** Characters of a base64url hash: 132 bits, for ties are many and live long. */
const HASH_CHARACTERS = 22;
const OUTCOMES: Record<string, TieOutcome> = { f: "first", s: "same", o: "other" };

/**
 * The ties of one turn of the event loop go to Redis in one script call: a call for each was a fifth of a
 * redemption's processor time on both sides. On a Cluster, where their keys lie in different slots, each is sent
 * by itself.
 */
export function createOrderGuard({ redis, prefix }: { redis: RedisConnection; prefix: string }): OrderGuard {
  const keys = createKeys(prefix);
  const size = redis.isCluster ? 1 : ORDERS_MAX;
  const run = async (script: typeof tieScript, ties: Tie[]): Promise<unknown> => {
    const named = ties.map(({ key }) => key);
    const args = ties.flatMap(({ names, argument }) => [names, argument]);
    return runScript(redis, script, named, args);
  };
  const ties = new Gathered<Tie, TieOutcome>(size, async (gathered) =>
    [...((await run(tieScript, gathered)) as string)].map((letter) => OUTCOMES[letter] ?? "other"),
  );
  const unties = new Gathered<Tie, void>(size, async (gathered) => {
    await run(untieScript, gathered);
    return gathered.map(() => undefined);
  });
  const tieOf = (order: string, couponIds: readonly string[], argument: string): Tie => ({
    key: keys.order(shortHash(order)),
    names: shortHash([...couponIds].sort().join("\n")),
    argument,
  });
  return {
    claim: (order, couponIds, keptMs) =>
      ties.ask(tieOf(order, couponIds, `${keptMs}`)).catch(unlessAway("unavailable")),
    giveBack: (order, couponIds) => unties.ask(tieOf(order, couponIds, "1")).catch(unlessAway(undefined)),
    forget: (order, couponIds) => unties.ask(tieOf(order, couponIds, "0")).catch(unlessAway(undefined)),
  };
}

function shortHash(text: string): string {
  return hash("sha256", text, "base64url").slice(0, HASH_CHARACTERS);
}

function unlessAway<T>(otherwise: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof RedisUnavailable) return otherwise;
    throw error;
  };
}
