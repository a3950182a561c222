import { type Pool, readPositions, readTies, readTiesOfOrder, type StandingTie } from "@coupon/database";
import type { RetentionReads } from "@coupon/events";
import type { OrderTie } from "@coupon/redis";

/** For so long a redemption keeps its order from being given other coupons. */
export const REDEEMED_KEPT_MS = 35 * 86_400_000;

/** What log and ledger know of the coupons that orders hold or have used. */
export interface OrderTieReads {
  /** Whether the ledger has applied all that was in the log at the call; waits for it, bounded. */
  applied(withinMs: number): Promise<boolean>;
  /** Of one order; all that it was tied to before a call of `applied` that resolved true. */
  of(callerId: string, orderId: string): Promise<OrderTie[]>;
  all(): AsyncIterable<OrderTie[]>;
}

const POLL_MS = 10;
/** Nothing in the log is younger. */
const FUTURE_MS = 365 * 86_400_000;

export function createOrderTieReads(
  pool: Pool,
  log: Pick<RetentionReads, "firstSince">,
  partitions: number,
): OrderTieReads {
  const ids = Array.from({ length: partitions }, (_, partition) => partition);
  return {
    async applied(withinMs) {
      const until = performance.now() + withinMs;
      const ends = await log.firstSince(Date.now() + FUTURE_MS);
      for (;;) {
        const rows = await readPositions(pool, ids);
        const positions = new Map(rows.map(({ partition, position }) => [partition, position]));
        if (ends.every((end, partition) => (positions.get(partition) ?? 0) >= end)) return true;
        if (performance.now() >= until) return false;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },

    async of(callerId, orderId) {
      const nowMs = Date.now();
      const ties = await readTiesOfOrder(pool, callerId, orderId, nowMs, REDEEMED_KEPT_MS);
      return ties.map((tie) => toTie(tie, nowMs));
    },

    async *all() {
      const nowMs = Date.now();
      for await (const ties of readTies(pool, nowMs, REDEEMED_KEPT_MS)) yield ties.map((tie) => toTie(tie, nowMs));
    },
  };
}

/** How a tie names a coupon: by its place, which is on record everywhere. */
export function placeOf({ batch, shard, serial }: { batch: number; shard: number; serial: number }): string {
  return `${batch}.${shard}.${serial}`;
}

function toTie(tie: StandingTie, nowMs: number): OrderTie {
  return { order: tie.order, coupons: [placeOf(tie)], keptMs: Math.max(1, Math.ceil(tie.untilMs - nowMs)) };
}
