import { randomUUID } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";
import { type Keys, PAGE_COUPONS } from "./keys.ts";
import { type LoadOptions, loadCoupons } from "./load-coupons.ts";
import { expectDone, LoadSteps, teachSteps } from "./load-steps.ts";
import { packAllRules, parseRules } from "./rules-text.ts";
import { loadScript, runScript } from "./scripts.ts";
import type { ImageCoupons, ShardAddress, ShardImage } from "./shard-calls.ts";

const KEYS_ERASED_AT_ONCE = 1_000;

const scripts = {
  begin: loadScript("load-begin"),
  erase: loadScript("load-erase"),
  image: loadScript("load-image"),
  finish: loadScript("load-finish"),
};

interface Resources {
  redis: RedisConnection;
  keys: Keys;
  hashKey: Buffer;
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

/** Drops the shard and builds it anew; see ShardCalls.load. */
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
  await teachSteps(redis, header);
  await empty(resources, at, token);
  expectDone(await runScript(redis, scripts.image, [header], [token, image.nextSerial, rules]), at);
  const steps = new LoadSteps(redis, at, header, token);
  const loaded = await loadCoupons(resources, at, image, coupons, steps, options);
  if (loaded.coupons !== image.nextSerial) {
    throw new RangeError(
      `${loaded.coupons} coupons of shard ${at.batch}.${at.shard} where ${image.nextSerial} are due`,
    );
  }
  const fields = [...headerFields(image, epoch), "q", loaded.second, "c", loaded.seconds];
  expectDone(await runScript(redis, scripts.finish, [header], [token, steps.sent, ...fields, "r", rules]), at);
}

/** Everything that is loaded is durable, so the outbox is empty. */
function headerFields(image: ShardImage, epoch: number): (string | number)[] {
  const fields: (string | number)[] = ["e", epoch, "n", image.number, "h", image.hash, "t", image.atMs];
  fields.push("s", image.nextSerial, "l", image.left, "d", image.number, "o", -1);
  fields.push("y", image.dayStartMs, "f", image.nextSerial - image.dayIssued);
  for (const { target, transfer, amount } of image.debits) fields.push(`D${target}`, `${transfer} ${amount}`);
  if (image.corrections.length > 0) fields.push("K", image.corrections.join(" "));
  for (const { source, transfer } of image.credits) fields.push(`C${source}`, transfer);
  return fields;
}
