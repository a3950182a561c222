import { partitionOf } from "@coupon/domain";
import { checkHistory, type Finding, type History } from "@coupon/history";
import { shardOf } from "@coupon/redis";
import { drainBatch } from "../../src/faults/draw-batches.ts";
import type { FaultAction } from "../../src/faults/fault.ts";
import { heal, takeHistory } from "../../src/faults/heal.ts";
import { inject } from "../../src/faults/inject.ts";
import type { Parts } from "../../src/faults/parts.ts";
import { Platform } from "../../src/faults/platform.ts";
import { Random } from "../../src/faults/random.ts";
import { drawSchedule, type Schedule } from "../../src/faults/schedule.ts";
import { PARTITIONS } from "../../src/own-platform/own-platform.ts";
import { SharingIds } from "./sharing-ids.ts";

const SHARDS = 8;
const OWNERS = 4;
const TOTAL = 800;
const CLIENTS = 20;
const HOT_PERCENT = 85;
/** Who comes when everything is sold. */
const LATE = 40;
const DRAINED_WITHIN_MS = 60_000;

/** Sold only when the last fault is over. */
const RESERVE_PERCENT = 5;

/** The place of the issuing process that owns the first shard, at which most of the crowd is. */
export const HOT_OWNER = partitionOf(1, 0, PARTITIONS);
/** The place of the one that owns the last shard: empty shards ask it last, so it has stock when the others have none. */
export const LAST_OWNER = partitionOf(1, SHARDS - 1, PARTITIONS);

/** A fault and the share of the stock that is sold when it strikes. */
export interface Strike {
  soldPercent: number;
  fault: FaultAction;
  /** What is to come of it, where that can differ. */
  note?: string;
}

/** A fault that struck, and what share of the crowd's stock was sold when it began and when its cause was gone. */
export interface Struck {
  kind: string;
  soldPercentFrom: number;
  soldPercentTo: number;
  stuck: string;
  note: string;
}

/** What came of a batch that a crowd emptied while faults struck. */
export interface Drained {
  total: number;
  /** How many shards of the batch each owner had when the crowd came. */
  shardsOf: number[];
  struck: Struck[];
  /** Answers to the first `total` users that were neither a coupon nor "not now". */
  refusedEarly: unknown[];
  /** By user: different coupons that their claim was answered. */
  couponsOf: Map<string, Set<string>>;
  /** What users heard who came after the last coupon. */
  late: unknown[];
  issuedByLedger: number;
  findings: Finding[];
  stuck: string[];
}

function scheduleOf(seed: number): Schedule {
  const batch = drainBatch(new Random(seed), SHARDS, TOTAL);
  return { ...drawSchedule(seed, { issuing: OWNERS, batches: [batch] }), ruleChanges: [], clients: [], faults: [] };
}

/** Users of whom most belong to the batch's first shard. */
function* skewedCrowd(seed: number, hashKey: Buffer): Generator<string> {
  const random = new Random(seed);
  for (let number = 0; ; ) {
    const wantsHot = random.chance(HOT_PERCENT);
    let user: string;
    do {
      user = `crowd-${number}`;
      number += 1;
    } while ((shardOf(hashKey, 1, user, SHARDS) === 0) !== wantsHot);
    yield user;
  }
}

/** Claims for one user after another until each knows the outcome; no more users begin than `mayBegin` says. */
class CrowdAtTheDoor {
  mayBegin = 0;
  begun = 0;
  readonly couponsOf = new Map<string, Set<string>>();
  readonly refused: unknown[] = [];
  readonly #platform: Platform;
  readonly #users: Generator<string>;

  constructor(platform: Platform, users: Generator<string>) {
    this.#platform = platform;
    this.#users = users;
  }

  get sold(): number {
    return this.couponsOf.size;
  }

  /** Resolves when as many as may begin have their coupon, or a refusal. */
  async let(mayBegin: number): Promise<void> {
    this.mayBegin = mayBegin;
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#client()));
  }

  async #client(): Promise<void> {
    const until = performance.now() + DRAINED_WITHIN_MS;
    while (this.begun < this.mayBegin) {
      this.begun += 1;
      const user = this.#users.next().value as string;
      // Twice: whoever lost the answer asks again, and gets what the first claim got.
      for (let heard = 0; heard < 2; ) {
        if (performance.now() > until) throw new Error(`${user} gets no outcome`);
        if (await this.#claim(user)) heard += 1;
      }
    }
  }

  /** False while it is "not now". */
  async #claim(userId: string): Promise<boolean> {
    const { recorder, shop } = this.#platform;
    const answer = await recorder.send(shop, "claim", { batchId: "batch-1", userId, idempotencyKey: "k" }, userId);
    if (answer === null || answer.status >= 500) return false;
    if (answer.status >= 300) this.refused.push(answer.body.code);
    else this.couponsOf.set(userId, (this.couponsOf.get(userId) ?? new Set()).add(answer.body.couponId ?? ""));
    return true;
  }
}

/** Sells the whole stock to a skewed crowd and strikes on the way: a fault is over before what is left runs out. */
export async function drainUnder(parts: Parts, seed: number, strikes: readonly Strike[]): Promise<Drained> {
  const schedule = scheduleOf(seed);
  const ids = new SharingIds(OWNERS);
  const platform = new Platform(parts, schedule, (place) => ids.draw(place));
  try {
    await platform.start();
    const owners = await ids.owning(platform);
    const opened = await heal(platform, schedule.batches);
    // The probes that open all shards have a coupon each.
    const left = TOTAL - SHARDS;
    const crowd = new CrowdAtTheDoor(platform, skewedCrowd(seed, platform.hashKey));
    const struck = await sellUnder(platform, crowd, left, strikes);
    const refusedEarly = crowd.refused.splice(0);
    await crowd.let(left + LATE);
    const drained = await platform.endIssuing();
    const { history, stuck } = await takeHistory(platform);
    return {
      ...{ total: TOTAL, shardsOf: shardsOf(owners), struck, refusedEarly },
      ...{ couponsOf: crowd.couponsOf, late: crowd.refused, issuedByLedger: issuedBy(history) },
      ...{ findings: checkHistory(history), stuck: [...opened, ...drained, ...stuck] },
    };
  } finally {
    parts.heal();
    await platform.close();
  }
}

async function sellUnder(
  platform: Platform,
  crowd: CrowdAtTheDoor,
  left: number,
  strikes: readonly Strike[],
): Promise<Struck[]> {
  const struck: Struck[] = [];
  const soldPercent = () => (100 * crowd.sold) / left;
  const percents = [...strikes.map(({ soldPercent }) => soldPercent), 100 - RESERVE_PERCENT, 100];
  const marks = percents.map((percent) => Math.floor((left * percent) / 100));
  for (const [index, mark] of marks.entries()) {
    const selling = crowd.let(mark);
    const strike = strikes[index - 1];
    const [done] = await Promise.all([strike && strikeNow(platform, soldPercent, strike.fault), selling]);
    if (done !== undefined) struck.push(done);
  }
  return struck;
}

async function strikeNow(platform: Platform, soldPercent: () => number, fault: FaultAction): Promise<Struck> {
  const soldPercentFrom = soldPercent();
  const { stuck, note } = await inject(platform, { ...fault, atMs: 0 });
  return { kind: fault.kind, soldPercentFrom, soldPercentTo: soldPercent(), stuck, note };
}

function shardsOf(owners: readonly (string | null)[]): number[] {
  const ownerOf = (shard: number) => owners[partitionOf(1, shard, PARTITIONS)];
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  return [...Map.groupBy(shards, ownerOf).values()].map(({ length }) => length);
}

function issuedBy({ ledger }: History): number {
  return (ledger?.shards ?? []).reduce((sum, { issued }) => sum + issued, 0);
}
