import { randomUUID } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";
import { type Keys, PAGE_COUPONS } from "./keys.ts";
import { type LoadMarks, MarksOfRun } from "./load-marks.ts";
import { SeenFields, SlotRun } from "./load-slots.ts";
import { packAllRules, parseRules } from "./rules-text.ts";
import { type Argument, loadScript, runScript, type Script } from "./scripts.ts";
import type { ImageCoupons, ShardAddress, ShardImage } from "./shard-calls.ts";

const KEYS_ERASED_AT_ONCE = 1_000;

const scripts = {
  begin: loadScript("load-begin"),
  erase: loadScript("load-erase"),
  image: loadScript("load-image"),
  marks: loadScript("load-marks"),
  slots: loadScript("load-slots"),
  finish: loadScript("load-finish"),
};

interface Resources {
  redis: RedisConnection;
  keys: Keys;
  hashKey: Buffer;
}

/** Calls under way at a time: enough that neither side waits for the other. */
const CALLS_AT_ONCE = 4;
/** Coupons that are sorted by bucket at a time, and held in memory (24 bytes each) until they are written. */
const RUN_COUPONS_MAX = 1_048_576;
/** While one run is read, the one before is written: of a few runs, most of the time neither would wait. */
const RUNS = 10;
const RUN_COUPONS_MIN = 65_536;

/** Somebody else has begun to drop or load the shard since. */
class LoadDisturbed extends Error {}

function expectDone(reply: unknown, at: ShardAddress): void {
  if (reply !== 1) throw new LoadDisturbed(`shard ${at.batch}.${at.shard} is being loaded or dropped by somebody else`);
}

/** Takes the shard out of service and removes every key of it but the header, which keeps the token. */
async function empty({ redis, keys }: Resources, at: ShardAddress, token: string): Promise<void> {
  const header = keys.header(at);
  const [next, rules] = (await runScript(redis, scripts.begin, [header], [token])) as (string | null)[];
  let pending: string[] = [keys.outbox(at), keys.timeIndex(at)];
  const flush = async (): Promise<void> => {
    if (pending.length > 0) expectDone(await runScript(redis, scripts.erase, [header, ...pending], [token]), at);
    pending = [];
  };
  const buckets = rules == null ? 0 : parseRules(rules).buckets;
  for (let index = 0; index < buckets; index += 1) {
    pending.push(keys.bucket(at, index));
    if (pending.length >= KEYS_ERASED_AT_ONCE) await flush();
  }
  for (let page = 0; page * PAGE_COUPONS < Number(next ?? 0); page += 1) {
    for (const serial of await touchedSerials(redis, keys.page(at, page), page)) pending.push(keys.record(at, serial));
    // Only once its records are gone, for it leads to them.
    await flush();
    pending.push(keys.page(at, page));
  }
  await flush();
}

async function touchedSerials(redis: RedisConnection, key: string, page: number): Promise<number[]> {
  let bits: Buffer | null;
  try {
    bits = await redis.getBuffer(key);
  } catch (error) {
    throw redisError(error);
  }
  const serials: number[] = [];
  for (let byte = 0; bits !== null && byte < bits.length; byte += 1) {
    for (let pair = 0; pair < 4; pair += 1) {
      if ((((bits[byte] as number) >> (6 - 2 * pair)) & 3) !== 0) serials.push(page * PAGE_COUPONS + byte * 4 + pair);
    }
  }
  return serials;
}

/** Removes every key of the shard, the header last. */
export async function dropShard(resources: Resources, at: ShardAddress): Promise<void> {
  const token = randomUUID();
  await empty(resources, at, token);
  const header = resources.keys.header(at);
  expectDone(await runScript(resources.redis, scripts.erase, [header, header], [token]), at);
}

export interface LoadOptions {
  /** Is waited for between pieces of a few milliseconds: lets others have the event loop and Redis. */
  pace?: () => Promise<void>;
  /** Coupons sorted at a time. */
  runCoupons?: number;
}

/**
 * Drops the shard and builds it anew; see ShardCalls.load.
 *
 * Written coupon by coupon in the order of their serials, each would look up another bucket, in memory that is in no
 * cache: 4 µs of Redis a coupon. So they are sorted by bucket, run by run, and each bucket gets all that it has in the
 * run by one command; while one run is written, the next is read. Steps are numbered, so that none is lost or doubled.
 */
export async function loadShard(
  resources: Resources,
  at: ShardAddress,
  image: ShardImage,
  coupons: AsyncIterable<ImageCoupons>,
  epoch: number,
  options: LoadOptions = {},
): Promise<void> {
  const token = randomUUID();
  const { redis, keys } = resources;
  const header = keys.header(at);
  const rules = packAllRules(image.rules);
  // Sent by its hash, a step of a script that the server lacks would let those after it come first.
  for (const script of [scripts.slots, scripts.marks]) await runScript(redis, script, [header], ["", -1, "", ""]);
  await empty(resources, at, token);
  expectDone(await runScript(redis, scripts.image, [header], [token, image.nextSerial, rules]), at);
  const steps = new Steps(resources, at, token);
  const loaded = await loadCoupons(resources, at, image, coupons, steps, options);
  if (loaded.coupons !== image.nextSerial) {
    throw new RangeError(
      `${loaded.coupons} coupons of shard ${at.batch}.${at.shard} where ${image.nextSerial} are due`,
    );
  }
  const fields = [...headerFields(image, epoch), "q", loaded.second, "c", loaded.seconds];
  expectDone(await runScript(redis, scripts.finish, [header], [token, steps.sent, ...fields, "r", rules]), at);
}

async function loadCoupons(
  { keys, hashKey }: Resources,
  at: ShardAddress,
  image: ShardImage,
  coupons: AsyncIterable<ImageCoupons>,
  steps: Steps,
  { pace = yieldTurn, runCoupons = runFor(image.nextSerial) }: LoadOptions,
): Promise<{ coupons: number; second: number; seconds: number }> {
  const marks = new MarksOfRun();
  const seen = new SeenFields(image.nextSerial);
  const size = Math.max(1, Math.min(runCoupons, image.nextSerial));
  const newRun = () => new SlotRun({ hashKey, batch: at.batch, buckets: image.rules.buckets, size, seen });
  const stem = keys.bucketStem(at);
  let run = newRun();
  let writing: Promise<void> = Promise.resolve();
  const write = async (full: SlotRun): Promise<void> => {
    for (const { buckets, packed } of full.calls()) {
      const named = buckets.map((bucket) => stem + bucket.toString(36));
      await steps.send(scripts.slots, named, [packed.wide ? 12 : 11, packed.bytes]);
      await pace();
    }
  };
  const writeMarks = (ready: LoadMarks): Promise<void> => {
    const pages = ready.pages.map(({ page }) => keys.page(at, page));
    return steps.send(
      scripts.marks,
      [keys.timeIndex(at), ...pages],
      [ready.index, ...ready.pages.map((it) => it.bits)],
    );
  };
  let next = 0;
  for await (const chunk of coupons) {
    if (chunk.first !== next)
      throw new RangeError(`coupon ${chunk.first} of shard ${at.batch}.${at.shard} is out of order`);
    const count = chunk.userIds.length;
    for (let from = 0; from < count; ) {
      const taken = run.add(chunk, from);
      from += taken;
      if (run.full) {
        await writing;
        writing = write(run);
        // Told where it is awaited.
        writing.catch(() => undefined);
        run = newRun();
      }
    }
    marks.add(chunk);
    if (marks.ready) await writeMarks(marks.take());
    next += count;
    await pace();
  }
  await writing;
  await write(run);
  await writeMarks(marks.takeAll());
  await steps.settled();
  return { coupons: next, second: marks.second, seconds: marks.seconds };
}

function runFor(coupons: number): number {
  return Math.min(RUN_COUPONS_MAX, Math.max(RUN_COUPONS_MIN, Math.ceil(coupons / RUNS)));
}

const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The steps of a load, several under way at a time; Redis takes them in their order, or not at all. */
class Steps {
  readonly #resources: Resources;
  readonly #at: ShardAddress;
  readonly #token: string;
  readonly #underWay: Promise<unknown>[] = [];
  sent = 0;

  constructor(resources: Resources, at: ShardAddress, token: string) {
    this.#resources = resources;
    this.#at = at;
    this.#token = token;
  }

  /** Resolves when there is room for another. @throws LoadDisturbed or RedisUnavailable, of this step or one before */
  async send(script: Script, named: string[], args: Argument[]): Promise<void> {
    const { redis, keys } = this.#resources;
    const step = this.sent;
    this.sent += 1;
    const done = runScript(redis, script, [keys.header(this.#at), ...named], [this.#token, step, ...args]);
    done.catch(() => undefined);
    this.#underWay.push(done);
    while (this.#underWay.length >= CALLS_AT_ONCE) expectDone(await this.#underWay.shift(), this.#at);
  }

  async settled(): Promise<void> {
    while (this.#underWay.length > 0) expectDone(await this.#underWay.shift(), this.#at);
  }
}

/** Everything that is loaded is durable, so the outbox is empty. */
function headerFields(image: ShardImage, epoch: number): (string | number)[] {
  const fields: (string | number)[] = ["e", epoch, "n", image.number, "h", image.hash, "t", image.atMs];
  fields.push("s", image.nextSerial, "l", image.left, "d", image.number, "o", -1);
  fields.push("y", image.dayStartMs, "f", image.nextSerial - image.dayIssued);
  for (const { target, transfer, amount } of image.debits) fields.push(`D${target}`, `${transfer} ${amount}`);
  for (const { source, transfer } of image.credits) fields.push(`C${source}`, transfer);
  return fields;
}
