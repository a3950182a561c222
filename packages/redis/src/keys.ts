import type { ShardAddress } from "./shard-calls.ts";

/** Coupons whose state bits share a key. */
export const PAGE_COUPONS = 4_096;

/** Every key of the platform in Redis is made here. One shard's keys share one hash tag, so one node has them all. */
export interface Keys {
  header(at: ShardAddress): string;
  outbox(at: ShardAddress): string;
  timeIndex(at: ShardAddress): string;
  /** What the keys of a shard's user buckets begin with; the bucket's index in base 36 follows. */
  bucketStem(at: ShardAddress): string;
  bucket(at: ShardAddress, index: number): string;
  page(at: ShardAddress, page: number): string;
  pageOf(at: ShardAddress, serial: number): string;
  record(at: ShardAddress, serial: number): string;
  members(): string;
  owners(): string;
  /** `order` is hashed by the caller: it may hold anything. Its first character is its tag, shared with `orderMark`. */
  order(hash: string): string;
  /** Says whether all ties of orders with that tag are there. */
  orderMark(tag: string): string;
}

/** `prefix` must not hold braces, or the hash tag would begin in it. */
export function createKeys(prefix: string): Keys {
  if (!/^[\w.:-]{1,64}$/.test(prefix)) throw new TypeError(`not a key prefix: ${JSON.stringify(prefix)}`);
  const stem = (at: ShardAddress, kind: string): string => `${prefix}{${at.batch}.${at.shard}}:${kind}`;
  return {
    header: (at) => stem(at, "h"),
    outbox: (at) => stem(at, "o"),
    timeIndex: (at) => stem(at, "t"),
    bucketStem: (at) => stem(at, "u"),
    bucket: (at, index) => stem(at, "u") + index.toString(36),
    page: (at, page) => stem(at, "s") + page,
    pageOf: (at, serial) => stem(at, "s") + Math.floor(serial / PAGE_COUPONS),
    record: (at, serial) => stem(at, "c") + serial,
    members: () => `${prefix}{leases}:m`,
    owners: () => `${prefix}{leases}:p`,
    order: (hash) => `${prefix}{o${hash.charAt(0)}}:${hash}`,
    orderMark: (tag) => `${prefix}{o${tag}}:m`,
  };
}
