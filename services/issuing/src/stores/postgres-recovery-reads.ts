import { openShardSnapshot, type Pool, readCouponRecords, readPartition } from "@coupon/database";
import type { ShardAddress, ShardCalls } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import { within } from "../within.ts";
import type { LogBase, RecoveryReads } from "./recovery-reads.ts";

export interface RecoveryResources {
  pool: Pool;
  calls: ShardCalls;
  logger: Logger;
}

const POLL_MS = 10;
/** A take-over shall be over within 5 s, whatever PostgreSQL does. */
const BASE_WITHIN_MS = 1_000;

/**
 * Recovery reads from the ledger's tables. While PostgreSQL is away, openings go by the headers in Redis
 * instead: each says how far its entries were known to be durable, under which epoch.
 */
export function createRecoveryReads({ pool, calls, logger }: RecoveryResources): RecoveryReads {
  return {
    async logBase(partition, known) {
      const reading = readPartition(pool, partition).then(toBase);
      try {
        return await within(reading, BASE_WITHIN_MS, "PostgreSQL");
      } catch (error) {
        logger.warn({ partition, because: (error as Error).message }, "opening without PostgreSQL");
        const base = await baseFromHeaders(calls, known);
        // Nothing can be opened without it then, and it may only be slow.
        return base.shards.length === 0 && known.length > 0 ? reading.catch(() => base) : base;
      }
    },

    async snapshot(address, number, withinMs) {
      const until = performance.now() + withinMs;
      for (;;) {
        const snapshot = await openShardSnapshot(pool, address);
        if (snapshot !== null && snapshot.image.number >= number) {
          return { image: snapshot.image, coupons: snapshot.coupons(), close: () => snapshot.close() };
        }
        await snapshot?.close();
        if (performance.now() >= until) return null;
        await pause(POLL_MS * 5);
      }
    },

    async records({ batch, shard }, serials, number, withinMs) {
      const until = performance.now() + withinMs;
      for (;;) {
        const found = await readCouponRecords(pool, batch, shard, serials);
        if (found.number >= number) return [...found.records].map(([serial, record]) => ({ serial, record }));
        if (performance.now() >= until) return null;
        await pause(POLL_MS);
      }
    },
  };
}

function toBase({ position, epoch, shards }: Awaited<ReturnType<typeof readPartition>>): LogBase {
  const counted = shards.map(({ batch, shard, number, hash }) => ({
    address: { batch, shard },
    number,
    hash,
    floorOf: null,
  }));
  return { position, epoch, isWhole: true, uncounted: [], shards: counted };
}

/**
 * Every shard's header was opened under its epoch with all before it settled, so reading from the least such marker
 * misses nothing of these shards. A shard without a header has no number to start from: it waits for PostgreSQL, which
 * it needs anyway unless it is new. All of the log would tell, too, but that is more than a process can hold.
 */
async function baseFromHeaders(calls: ShardCalls, known: ShardAddress[]): Promise<LogBase> {
  const found = await Promise.allSettled(known.map((address) => calls.readHeaders([address])));
  const shards = known.flatMap((address, index) => {
    const one = found[index];
    const header = one?.status === "fulfilled" ? one.value[0] : null;
    return header == null ? [] : [{ address, number: header.durable, hash: null, floorOf: header.epoch }];
  });
  const away = found.find((one) => one.status === "rejected");
  // It may be there again soon, long before a PostgreSQL that hangs.
  if (shards.length === 0 && away !== undefined) throw away.reason;
  const has = new Set(shards.map(({ address }) => address));
  return {
    position: Math.min(Number.MAX_SAFE_INTEGER, ...shards.map(({ floorOf }) => floorOf)),
    epoch: -1,
    isWhole: false,
    uncounted: known.filter((address) => !has.has(address)),
    shards,
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
