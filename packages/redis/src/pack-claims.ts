import { FIELD_BYTES, KEY_HASH_BYTES, keyDigest, uint32At, userDigest } from "./hashes.ts";
import type { Keys } from "./keys.ts";
import { quoted } from "./quoted.ts";
import type { ClaimRequest, DayStarts, Expectation, ShardAddress } from "./shard-calls.ts";

/** Most claims in one call: their entry stays well below a message's greatest size. */
export const CLAIMS_MAX = 1_000;

const RECORD_BYTES = FIELD_BYTES + KEY_HASH_BYTES + 1;
const PERMITTED = 0x31;
const NOT_PERMITTED = 0x30;

/** KEYS and ARGV of claim.lua. */
export interface PackedClaims {
  keys: string[];
  args: (string | Buffer)[];
}

/** ARGV[1..5] of every script that may write an entry. */
export function frameArguments(at: ShardAddress, expect: Expectation): string[] {
  return [
    `${expect.epoch}`,
    expect.hash,
    `${expect.durable}`,
    `${expect.durableOffset}`,
    `{"v":1,"batch":${at.batch},"shard":${at.shard},"number":`,
  ];
}

/** Packs a micro-batch of claims for claim.lua; two hashes a claim, and no object besides texts. */
export function packClaims(
  { keys, hashKey }: { keys: Keys; hashKey: Buffer },
  at: ShardAddress,
  expect: Expectation,
  days: DayStarts,
  buckets: number,
  requests: readonly ClaimRequest[],
): PackedClaims {
  if (requests.length > CLAIMS_MAX) throw new RangeError(`more than ${CLAIMS_MAX} claims in a call`);
  const packed = Buffer.allocUnsafe(requests.length * RECORD_BYTES);
  const named = [keys.header(at), keys.outbox(at), keys.timeIndex(at)];
  const stem = keys.bucketStem(at);
  let texts = "";
  let offset = 0;
  for (const { userId, callerId, key, via, permitted } of requests) {
    const user = userDigest(hashKey, at.batch, userId);
    named.push(stem + (uint32At(user, 4) % buckets).toString(36));
    packed.write(user.slice(8, 8 + FIELD_BYTES), offset, FIELD_BYTES, "latin1");
    packed.write(keyDigest(hashKey, callerId, via, key), offset + FIELD_BYTES, KEY_HASH_BYTES, "latin1");
    packed[offset + RECORD_BYTES - 1] = permitted ? PERMITTED : NOT_PERMITTED;
    const keyHash = packed.toString("hex", offset + FIELD_BYTES, offset + FIELD_BYTES + KEY_HASH_BYTES);
    texts += `,${quoted(userId)},${quoted(callerId)},"${keyHash}","${via}"]\n`;
    offset += RECORD_BYTES;
  }
  return { keys: named, args: [...frameArguments(at, expect), `${buckets}`, days.join(" "), packed, texts] };
}
