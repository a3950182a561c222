import { hash } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { RedisUnavailable } from "./errors.ts";
import { GatheredScripts } from "./gathered-scripts.ts";
import { createKeys } from "./keys.ts";
import { loadScript } from "./scripts.ts";

/**
 * Ties an order to the coupons that it was first asked with, across shards, for as long as it is kept: the same
 * order with other coupons is a conflict. `order` is callerId + "/" + orderId; the order of the ids is of no account.
 */
export interface OrderGuard {
  /** `first` made the tie, `same` found it, `other` found one to other coupons; `unavailable`: Redis can't be asked. */
  claim(
    order: string,
    couponIds: readonly string[],
    keptMs: number,
  ): Promise<"first" | "same" | "other" | "unavailable">;
  /** Takes back one `claim`; the last one to do so unties the order. Where Redis can't be asked the tie runs out. */
  giveBack(order: string, couponIds: readonly string[]): Promise<void>;
  /** Unties the order from these coupons, whoever relies on it. Where Redis can't be asked the tie runs out by itself. */
  forget(order: string, couponIds: readonly string[]): Promise<void>;
}

const claimScript = loadScript("order-claim");
const forgetScript = loadScript("order-forget");

export function createOrderGuard({ redis, prefix }: { redis: RedisConnection; prefix: string }): OrderGuard {
  const keys = createKeys(prefix);
  const scripts = new GatheredScripts(redis);
  const keyOf = (order: string): string[] => [keys.order(hash("sha256", order, "base64url"))];
  const namesOf = (couponIds: readonly string[]): string =>
    hash("sha256", [...couponIds].sort().join("\n"), "base64url");
  const unlessAway = async <T>(work: Promise<unknown>, otherwise: T): Promise<T> => {
    try {
      return (await work) as T;
    } catch (error) {
      if (error instanceof RedisUnavailable) return otherwise;
      throw error;
    }
  };
  return {
    claim: (order, couponIds, keptMs) =>
      unlessAway<"first" | "same" | "other" | "unavailable">(
        scripts.run(claimScript, keyOf(order), [namesOf(couponIds), keptMs]),
        "unavailable",
      ),
    giveBack: async (order, couponIds) => {
      await unlessAway(scripts.run(forgetScript, keyOf(order), [namesOf(couponIds), 1]), 0);
    },
    forget: async (order, couponIds) => {
      await unlessAway(scripts.run(forgetScript, keyOf(order), [namesOf(couponIds), 0]), 0);
    },
  };
}
