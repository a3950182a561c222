import { partitionOf } from "@coupon/domain";
import { type Answer, checkHistory, type History } from "@coupon/history";
import { connectRedis, createShardCalls, shardOf } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drainBatch } from "../../src/faults/draw-batches.ts";
import type { ProcessName } from "../../src/faults/fault.ts";
import { heal, takeHistory } from "../../src/faults/heal.ts";
import { type Parts, startParts } from "../../src/faults/parts.ts";
import { Platform } from "../../src/faults/platform.ts";
import { Random } from "../../src/faults/random.ts";
import { drawSchedule, type Schedule } from "../../src/faults/schedule.ts";
import { PARTITIONS } from "../../src/own-platform/own-platform.ts";
import { SharingIds } from "./sharing-ids.ts";

/** A shard for each partition. */
const SHARDS = PARTITIONS;
const IN_FLIGHT = 32;
const STOPPED = 0;
const OTHER = 1;
const stopped: ProcessName = { service: "issuing", index: STOPPED };

let parts: Parts;
beforeAll(async () => {
  parts = await startParts();
}, 120_000);
afterAll(() => parts.stop());

/** Whose appends and requests wait for longer than a take-over lasts: what was under way is told when it goes on. */
class PatientPlatform extends Platform {
  protected override readonly answersWithinMs = 40_000;
  protected override readonly doors = 2;

  override begin(name: ProcessName): Promise<void> {
    Object.assign(this.env, {
      APPEND_TIMEOUT_MS: "30000",
      REQUEST_DEADLINE_MS: "35000",
      RECOVERY_PATIENCE_MS: "35000",
    });
    return super.begin(name);
  }
}

function scheduleOf(seed: number): Schedule {
  const batches = [drainBatch(new Random(seed), SHARDS, 400)];
  return { ...drawSchedule(seed, { issuing: 2, batches }), ledgers: 1, ruleChanges: [], clients: [], faults: [] };
}

/** Whether a shard is in a partition of the process that is stopped. */
const isItsOwn = (shard: number): boolean => partitionOf(1, shard, PARTITIONS) % 2 === STOPPED;

/** Users whose shards are the stopped process' own. */
function usersOfStopped({ hashKey }: Platform, stem: string): string[] {
  const users: string[] = [];
  for (let number = 0; users.length < IN_FLIGHT; number += 1) {
    const user = `${stem}-${number}`;
    if (isItsOwn(shardOf(hashKey, 1, user, SHARDS))) users.push(user);
  }
  return users;
}

function claim({ recorder, shop }: Platform, userId: string, at: number): Promise<Answer | null> {
  return recorder.send(shop, "claim", { batchId: "batch-1", userId, idempotencyKey: "k" }, userId, at);
}

async function claimAtOther(platform: Platform, userId: string): Promise<Answer> {
  return eventually(
    async () => {
      const answer = await claim(platform, userId, OTHER);
      return answer !== null && answer.status < 500 ? answer : false;
    },
    { timeoutMs: 30_000 },
  );
}

/** How many coupons the scripts of the stopped process' shards have given. */
async function givenByScripts(platform: Platform): Promise<number> {
  const redis = await connectRedis({ url: platform.parts.redis.url, cluster: false });
  try {
    const calls = createShardCalls({ redis, prefix: platform.prefix, hashKey: platform.hashKey });
    const own = Array.from({ length: SHARDS }, (_, shard) => ({ batch: 1, shard })).filter(({ shard }) =>
      isItsOwn(shard),
    );
    const headers = await calls.readHeaders(own);
    return headers.reduce((sum, header) => sum + (header?.nextSerial ?? 0), 0);
  } finally {
    await redis.close();
  }
}

/** Entries that were written under an epoch that was over by then. */
function lateEntries({ log }: History): number {
  const epochs = new Map<number, number>();
  let late = 0;
  for (const { partition, offset, epoch, marker } of log) {
    if (marker !== null) epochs.set(partition, offset);
    else if (epoch !== epochs.get(partition)) late += 1;
  }
  return late;
}

describe("an owner that is stopped with claims under way, and goes on when another has its partitions", () => {
  test.for([
    ["has what it had decided done by the other", false],
    ["promises nobody what Redis has lost meanwhile and the other has given to others", true],
  ] as const)("%s", async ([, loses]) => {
    const ids = new SharingIds(2);
    const platform = new PatientPlatform(parts, scheduleOf(1), (place) => ids.draw(place));
    try {
      await platform.start();
      await ids.owning(platform);
      expect(await heal(platform, [drainBatch(new Random(1), SHARDS, 400)])).toEqual([]);
      const given = await givenByScripts(platform);
      const users = usersOfStopped(platform, "early");

      // What it sends to the log stays on the wire until its partitions are another's.
      parts.kafkaProxies[STOPPED]?.pause();
      const underWay = users.map((user) => claim(platform, user, STOPPED));
      await eventually(async () => (await givenByScripts(platform)) > given);
      platform.process(stopped)?.kill("SIGSTOP");
      if (loses) await parts.redis.wipe();
      await ids.ownedBy(platform, OTHER);
      const others = usersOfStopped(platform, "late");
      const meanwhile = await Promise.all(others.map((user) => claimAtOther(platform, user)));
      expect(meanwhile.map(({ status }) => status)).toEqual(others.map(() => 201));
      parts.kafkaProxies[STOPPED]?.resume();
      platform.process(stopped)?.kill("SIGCONT");

      await Promise.all(underWay);
      const again = await Promise.all(users.map((user) => claimAtOther(platform, user)));
      const coupons = [...again, ...meanwhile].map(({ body }) => body.couponId);
      expect(new Set(coupons).size).toBe(users.length + others.length);
      await ids.owning(platform);
      expect(await heal(platform, [drainBatch(new Random(1), SHARDS, 400)])).toEqual([]);
      expect(await platform.endIssuing()).toEqual([]);
      const { history, stuck } = await takeHistory(platform);
      expect(lateEntries(history)).toBeGreaterThan(0);
      expect({ findings: checkHistory(history), stuck }).toEqual({ findings: [], stuck: [] });
    } finally {
      platform.process(stopped)?.kill("SIGCONT");
      parts.heal();
      await platform.close();
    }
  });
});
