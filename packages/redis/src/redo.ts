import type { DeactivateItem, Entry, IssueItem, LockItem, RedeemItem, ReleaseItem, ReverseItem } from "@coupon/domain";
import { FIELD_BYTES, KEY_HASH_BYTES, uint32At, userDigest } from "./hashes.ts";
import type { Keys } from "./keys.ts";
import { packAllRules } from "./rules-text.ts";
import type { Argument } from "./scripts.ts";
import type { ShardAddress } from "./shard-calls.ts";

const SLOT_BYTES = FIELD_BYTES + KEY_HASH_BYTES;

interface Naming {
  keys: Keys;
  hashKey: Buffer;
}

/** KEYS and ARGV of redo.lua for one entry of the log. `buckets` is the shard's number of user buckets. */
export function packRedo(
  naming: Naming,
  at: ShardAddress,
  epoch: number,
  entry: Entry,
  text: string,
  offset: number,
  buckets: number,
): { keys: string[]; args: Argument[] } {
  const keys = [naming.keys.header(at), naming.keys.outbox(at), naming.keys.timeIndex(at)];
  const args: Argument[] = [epoch, entry.number, entry.prev, entry.at, offset, text, entry.kind];
  switch (entry.kind) {
    case "issue": {
      const items = packIssues(naming, at, entry.items, buckets);
      return {
        keys: keys.concat(items.keys),
        args: [...args, entry.day, buckets, entry.items[0]?.[0] ?? 0, items.packed],
      };
    }
    case "rules":
      return { keys, args: [...args, packAllRules(entry.rules)] };
    case "debit":
      return { keys, args: [...args, entry.target, entry.amount, entry.transfer] };
    case "credit":
      return { keys, args: [...args, entry.source, entry.amount, entry.transfer] };
    case "correct":
      return {
        keys,
        args: [...args, entry.correction.correctionId, entry.correction.stores.includes("redis") ? 1 : 0],
      };
    default: {
      for (const { serial } of entry.items) keys.push(naming.keys.pageOf(at, serial), naming.keys.record(at, serial));
      return { keys, args: args.concat(itemArguments(entry)) };
    }
  }
}

function packIssues({ keys, hashKey }: Naming, at: ShardAddress, items: IssueItem[], buckets: number) {
  const packed = Buffer.allocUnsafe(items.length * SLOT_BYTES);
  const stem = keys.bucketStem(at);
  const named = items.map(([, userId, , keyHash], index) => {
    const user = userDigest(hashKey, at.batch, userId);
    packed.write(user.slice(8, 8 + FIELD_BYTES), index * SLOT_BYTES, FIELD_BYTES, "latin1");
    packed.write(keyHash, index * SLOT_BYTES + FIELD_BYTES, KEY_HASH_BYTES, "hex");
    return stem + (uint32At(user, 4) % buckets).toString(36);
  });
  return { keys: named, packed };
}

type ItemsEntry = Extract<Entry, { kind: "lock" | "redeem" | "release" | "reverse" | "deactivate" }>;

function itemArguments(entry: ItemsEntry): Argument[] {
  switch (entry.kind) {
    case "lock":
      return entry.items.flatMap(lockArguments);
    case "redeem":
      return entry.items.flatMap(redeemArguments);
    case "release":
      return entry.items.flatMap(releaseArguments);
    case "reverse":
      return entry.items.flatMap(reverseArguments);
    case "deactivate":
      return entry.items.map(({ serial }: DeactivateItem) => serial);
  }
}

const orderOf = ({ callerId, orderId }: { callerId: string; orderId: string }): string => `${callerId}/${orderId}`;

const lockArguments = (item: LockItem): Argument[] => [
  item.serial,
  item.userId,
  orderOf(item),
  item.payload,
  item.untilMs,
  JSON.stringify(item.discount),
];

const redeemArguments = (item: RedeemItem): Argument[] => [
  item.serial,
  item.userId,
  orderOf(item),
  item.payload,
  JSON.stringify(item.discount),
];

const releaseArguments = (item: ReleaseItem): Argument[] => [
  item.serial,
  item.userId,
  orderOf(item),
  item.held ? "1" : "0",
];

const reverseArguments = (item: ReverseItem): Argument[] => [
  item.serial,
  orderOf(item),
  item.keyHash,
  item.payload,
  item.reversalId,
  item.remaining,
  item.restored ? "1" : "0",
  JSON.stringify(item.reversed),
];
