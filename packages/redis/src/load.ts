import { randomUUID } from "node:crypto";
import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";
import { FIELD_BYTES, KEY_HASH_BYTES, uint32At, userDigest } from "./hashes.ts";
import { type Keys, PAGE_COUPONS } from "./keys.ts";
import { packAllRules, parseRules } from "./rules-text.ts";
import { loadScript, runScript } from "./scripts.ts";
import type { ImageCoupon, ShardAddress, ShardImage } from "./shard-calls.ts";

const CHUNK_MAX = 1_000;
const KEYS_ERASED_AT_ONCE = 1_000;
const SLOT_BYTES = FIELD_BYTES + KEY_HASH_BYTES + 5;
const BITS = { no: 0x30, on_record: 0x31, redeemed: 0x32, deactivated: 0x33 } as const;

const scripts = {
  begin: loadScript("load-begin"),
  erase: loadScript("load-erase"),
  image: loadScript("load-image"),
  chunk: loadScript("load-chunk"),
  finish: loadScript("load-finish"),
};

interface Resources {
  redis: RedisConnection;
  keys: Keys;
  hashKey: Buffer;
}

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

/** Drops the shard and builds it anew; see ShardCalls.load. */
export async function loadShard(
  resources: Resources,
  at: ShardAddress,
  image: ShardImage,
  coupons: AsyncIterable<ImageCoupon[]>,
  epoch: number,
): Promise<void> {
  const token = randomUUID();
  const { redis, keys } = resources;
  const header = keys.header(at);
  const rules = packAllRules(image.rules);
  await empty(resources, at, token);
  expectDone(await runScript(redis, scripts.image, [header], [token, image.nextSerial, rules]), at);
  for await (const many of coupons) {
    for (let from = 0; from < many.length; from += CHUNK_MAX) {
      const chunk = many.slice(from, from + CHUNK_MAX);
      const { keys: named, args } = packChunk(resources, at, image.rules.buckets, chunk);
      expectDone(await runScript(redis, scripts.chunk, [header, keys.timeIndex(at), ...named], [token, ...args]), at);
    }
  }
  const fields = headerFields(image, epoch);
  expectDone(await runScript(redis, scripts.finish, [header], [token, ...fields, "r", rules]), at);
}

function packChunk({ keys, hashKey }: Resources, at: ShardAddress, buckets: number, chunk: ImageCoupon[]) {
  const first = chunk[0]?.serial ?? 0;
  const firstPage = Math.floor(first / PAGE_COUPONS);
  const pages = Math.floor((first + chunk.length - 1) / PAGE_COUPONS) - firstPage + 1;
  const named = Array.from({ length: pages }, (_, index) => keys.page(at, firstPage + index));
  const stem = keys.bucketStem(at);
  const packed = Buffer.allocUnsafe(chunk.length * SLOT_BYTES);
  chunk.forEach(({ serial, userId, keyHash, issuedAtSeconds, touched }, index) => {
    if (serial !== first + index)
      throw new RangeError(`coupon ${serial} of shard ${at.batch}.${at.shard} is out of order`);
    const user = userDigest(hashKey, at.batch, userId);
    named.push(stem + (uint32At(user, 4) % buckets).toString(36));
    const offset = index * SLOT_BYTES;
    packed.write(user.slice(8, 8 + FIELD_BYTES), offset, FIELD_BYTES, "latin1");
    packed.write(keyHash, offset + FIELD_BYTES, KEY_HASH_BYTES, "hex");
    packed.writeUInt32BE(issuedAtSeconds, offset + FIELD_BYTES + KEY_HASH_BYTES);
    packed[offset + SLOT_BYTES - 1] = BITS[touched];
  });
  return { keys: named, args: [first, pages, firstPage, packed] };
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
