import { openShardSnapshot, type Pool, readCouponRecords, readPartition } from "@coupon/database";
import type { ShardAddress, ShardCalls } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { LogBase, RecoveryReads } from "./recovery-reads.ts";

export interface RecoveryResources {
  pool: Pool;
  calls: ShardCalls;
  logger: Logger;
}

const POLL_MS = 10;

/**
 * Recovery reads from the ledger's tables. While PostgreSQL is away, openings go by the headers in Redis
 * instead: each says how far its entries were known to be durable, under which epoch.
 */
export function createRecoveryReads({ pool, calls, logger }: RecoveryResources): RecoveryReads {
  return {
    async logBase(partition, known) {
      try {
        const { position, epoch, shards } = await readPartition(pool, partition);
        return {
          position,
          epoch,
          shards: shards.map(({ batch, shard, number, hash }) => ({
            address: { batch, shard },
            number,
            hash,
            floorOf: null,
          })),
        };
      } catch (error) {
        logger.warn({ partition, because: (error as Error).message }, "opening without PostgreSQL");
        return baseFromHeaders(calls, known);
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

/**
 * Every shard's header was opened under its epoch with all before it settled, so reading from the least
 * such marker misses nothing. A shard without a header has no number to start from: the log is read from
 * its beginning, which works as long as the log still has it.
 */
async function baseFromHeaders(calls: ShardCalls, known: ShardAddress[]): Promise<LogBase> {
  const headers = await calls.readHeaders(known);
  if (headers.length === 0 || headers.some((header) => header === null)) return { position: 0, epoch: -1, shards: [] };
  const present = headers.filter((header) => header !== null);
  return {
    position: Math.min(...present.map(({ epoch }) => epoch)),
    epoch: -1,
    shards: known.map((address, index) => ({
      address,
      number: present[index]?.durable ?? 0,
      hash: null,
      floorOf: present[index]?.epoch ?? null,
    })),
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
