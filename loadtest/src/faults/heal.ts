import { setTimeout as sleep } from "node:timers/promises";
import { createPool, readPositions } from "@coupon/database";
import type { Answer, BatchVersion, History, HotRow } from "@coupon/history";
import { connectRedis, keyHashOf, shardOf } from "@coupon/redis";
import { readHot } from "../history/read-hot.ts";
import { readBooks, readLedger } from "../history/read-ledger.ts";
import { readWholeLog } from "../history/read-log.ts";
import type { PlannedBatch } from "./draw-batches.ts";
import type { Platform } from "./platform.ts";

/** Within which every shard serves again, counted from the end of the last fault. */
const HEALED_WITHIN_MS = 20_000;
const APPLIED_WITHIN_MS = 15_000;
const EMPTIERS = 8;
/** Redis' clock and this process' are of one machine; one of them may be set while the other runs on. */
const CLOCKS_DIFFER_MS = 2_000;

/** Asks every shard of every batch until it gives a yes or a no. Returns what stayed stuck. */
export async function heal(platform: Platform, batches: readonly PlannedBatch[]): Promise<string[]> {
  const until = performance.now() + HEALED_WITHIN_MS;
  const probes = batches.flatMap((batch, index) =>
    Array.from({ length: batch.shards }, async (_, shard) => {
      const user = userOf(platform, index + 1, batch.shards, shard);
      const answer = await settle(platform, `batch-${index + 1}`, user, until);
      return answer === null || answer.status >= 500
        ? [`shard ${index + 1}.${shard} does not serve ${HEALED_WITHIN_MS} ms after the last fault: ${tell(answer)}`]
        : [];
    }),
  );
  return (await Promise.all(probes)).flat();
}

/** Lets a crowd take what is left of a batch until it is sold out. Returns what stayed stuck. */
export async function empty(platform: Platform, batch: number): Promise<string[]> {
  const until = performance.now() + HEALED_WITHIN_MS;
  const { batchId, stock } = platform.batches.latest(batch);
  let user = 0;
  const drain = async (): Promise<Answer | null> => {
    for (;;) {
      user += 1;
      const answer = await settle(platform, batchId, `last-${user}`, until);
      if (answer === null || answer.status >= 300) return answer;
      if (user > stock.total + EMPTIERS) return answer;
    }
  };
  const last = await Promise.all(Array.from({ length: EMPTIERS }, drain));
  const wrong = last.filter((answer) => answer?.body.code !== "stock_exhausted");
  return wrong.slice(0, 1).map((answer) => `${batchId} can't be sold to the last coupon: ${tell(answer)}`);
}

function tell(answer: Answer | null): string {
  return answer === null ? "no answer" : `${answer.status} ${String(answer.body.code ?? "")}`;
}

async function settle(platform: Platform, batchId: string, userId: string, until: number): Promise<Answer | null> {
  for (;;) {
    const request = { batchId, userId, idempotencyKey: "healed" };
    const answer = await platform.recorder.send(platform.shop, "claim", request, "healer");
    if ((answer !== null && answer.status < 500) || performance.now() > until) return answer;
    await sleep(25);
  }
}

function userOf({ hashKey }: Platform, batchNumber: number, shards: number, shard: number): string {
  for (let number = 0; ; number += 1) {
    const user = `probe-${number}`;
    if (shardOf(hashKey, batchNumber, user, shards) === shard) return user;
  }
}

/** Everything that was asked, written and stored, once the ledger has applied the log, and what stayed stuck. */
export async function takeHistory(platform: Platform): Promise<{ history: History; stuck: string[] }> {
  const pool = createPool({
    ...{ databaseUrl: platform.databaseUrl, max: 4, statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 },
  });
  try {
    const log = await readWholeLog(platform.log, `${platform.prefix}.checker`);
    const ends = new Map(log.map(({ partition, offset }) => [partition, offset + 1]));
    const until = performance.now() + APPLIED_WITHIN_MS;
    let stuck: string[] = [];
    do {
      const positions = new Map(
        (await readPositions(pool, [...ends.keys()])).map(({ partition, position }) => [partition, position]),
      );
      stuck = [...ends].flatMap(([partition, end]) => {
        const position = positions.get(partition) ?? 0;
        return position === end ? [] : [`the ledger stands at ${position} of ${end} in partition ${partition}`];
      });
      if (stuck.length > 0) await sleep(25);
    } while (stuck.length > 0 && performance.now() < until);
    const { hashKey } = platform;
    const history: History = {
      batches: platform.batches.terms,
      partitions: platform.log.partitions,
      operations: platform.recorder.operations,
      log,
      ledger: await readLedger(pool),
      books: await readBooks(pool),
      hot: await readAllHot(platform),
      keyHash: (callerId, via, key) => keyHashOf(hashKey, callerId, via, key),
      clock: { originMs: performance.timeOrigin, toleranceMs: CLOCKS_DIFFER_MS + platform.clockStepsMs },
    };
    return { history, stuck };
  } finally {
    await pool.end();
  }
}

/** Every shard of every batch, as Redis has it. */
async function readAllHot(platform: Platform): Promise<HotRow[]> {
  const shards = platform.batches.terms.flatMap(({ versions }) => {
    const { batchNumber: batch, shards: count } = (versions.at(-1) as BatchVersion).definition;
    return Array.from({ length: count }, (_, shard) => ({ batch, shard }));
  });
  const redis = await connectRedis({ url: platform.parts.redis.url, cluster: false });
  try {
    return await readHot(redis, platform, shards);
  } finally {
    await redis.close();
  }
}
