import { couponStates, type ShardCount } from "@coupon/database";
import { COUPONS_IN_PAGE, type HotCoupon, type ShardReads } from "@coupon/redis";
import { compareHeader } from "../compare-counts.ts";
import { nameOfState } from "./compare-postgres.ts";
import type { CouponTable } from "./coupon-table.ts";
import type { Finding } from "./finding.ts";
import type { LogWalk } from "./log-walk.ts";
import { holdText, mark, redemptionText, reversalText } from "./prints.ts";

/** Redis can't be compared now: the shard is recovering, or is behind the log. Asked again later. */
export class ShardAway extends Error {
  override name = "ShardAway";
}

export interface RedisComparison {
  reads: ShardReads;
  walk: LogWalk;
  /** As the walk names the shard. */
  key: string;
  table: CouponTable;
  /** Coupons from this serial on were issued after the cut at which PostgreSQL was read: another audit's. */
  issued: number;
  /** The shard's number of user buckets. */
  buckets: number;
  /** Whether the header is compared with this range, which is once a shard. */
  withHeader: boolean;
  report: (finding: Finding) => void;
  signal: AbortSignal;
}

const BUCKETS_AT_ONCE = 16;
const PAGES_AT_ONCE = 8;
const COUPONS_AT_ONCE = 200;
/** An entry that Redis has is on its way to the log: so long is waited for it. */
const DURABLE_WITHIN_MS = 5_000;

/**
 * Compares a range of a shard's hot state with the log, while traffic goes on. Every reading says after which entry it
 * was made. A slot never changes, so it is compared as it is. Bits and records do: what differs is only suspected,
 * read again, and compared with the log walked exactly up to the entry of that reading.
 *
 * @throws ShardAway
 */
export async function compareRedis(comparison: RedisComparison): Promise<void> {
  await compareHeaders(comparison);
  await compareSlots(comparison);
  const suspects = await findSuspects(comparison);
  for (let from = 0; from < suspects.length; from += COUPONS_AT_ONCE) {
    await compareExactly(comparison, suspects.slice(from, from + COUPONS_AT_ONCE));
  }
}

async function compareHeaders({ reads, walk, key, table, withHeader, report }: RedisComparison): Promise<void> {
  const { batch, shard } = table.range;
  const [header] = await reads.headers([{ batch, shard }]);
  const walked = walk.shards.get(key)?.number ?? 0;
  if (header == null) throw new ShardAway(`Redis does not have shard ${key} now`);
  if (header.number < walked)
    throw new ShardAway(`Redis has entry ${header.number} of shard ${key}, the log ${walked}`);
  if (!withHeader) return;
  await walkTo(walk, key, header.number);
  const told = walk.shards.get(key);
  if (told === undefined) return;
  const say = (counter: string, expected: unknown, found: unknown) =>
    report({
      ...{ batch, shard, serial: null, store: "redis", kind: "counter", number: header.number },
      ...{ expected: { [counter]: expected }, found: { [counter]: found } },
    });
  if (told.count === null) {
    if (header.hash !== told.hash) say("hash", told.hash, header.hash);
    return;
  }
  for (const drift of compareHeader(told.count, header)) say(drift.counter, drift.expected, drift.found);
  const debits = new Map(header.debits.map(({ target, transfer, amount }) => [target, `${transfer} ${amount}`]));
  const wanted = new Map([...told.debits].map(([target, { transfer, amount }]) => [target, `${transfer} ${amount}`]));
  for (const peer of new Set([...debits.keys(), ...wanted.keys()])) {
    if (debits.get(peer) !== wanted.get(peer)) say(`debits to ${peer}`, wanted.get(peer), debits.get(peer));
  }
  const credits = new Map(header.credits.map(({ source, transfer }) => [source, transfer]));
  for (const peer of new Set([...credits.keys(), ...told.credits.keys()])) {
    const [expected, found] = [told.credits.get(peer), credits.get(peer)];
    if (expected !== found) say(`credits from ${peer}`, expected, found);
  }
}

async function walkTo(walk: LogWalk, key: string, number: number): Promise<void> {
  const there = await walk.untilEntry(key, number, DURABLE_WITHIN_MS);
  if (!there) throw new ShardAway(`entry ${number} of shard ${key} is not in the log yet`);
  const walked = walk.shards.get(key)?.number;
  if (walked !== number) throw new ShardAway(`the log is at entry ${walked} of shard ${key}, Redis at ${number}`);
}

async function compareSlots(comparison: RedisComparison): Promise<void> {
  const { reads, walk, key, table, issued, buckets, report, signal } = comparison;
  const { range } = table;
  const floor = walk.shards.get(key)?.number ?? 0;
  table.slotFound.fill(0);
  table.slotsSeen.fill(0);
  const strays: number[] = [];
  for (let from = 0; from < buckets; from += BUCKETS_AT_ONCE) {
    signal.throwIfAborted();
    let beyond: number[] = [];
    const to = Math.min(buckets, from + BUCKETS_AT_ONCE);
    const standing = await reads.slots(range, from, to, (serial, high, low) => {
      if (!table.has(serial)) {
        if (serial >= range.to) beyond.push(serial);
        return;
      }
      const index = serial - range.from;
      table.slotFound[2 * index] = (table.slotFound[2 * index] as number) ^ high;
      table.slotFound[2 * index + 1] = (table.slotFound[2 * index + 1] as number) ^ low;
      table.slotsSeen[index] = Math.min(255, (table.slotsSeen[index] as number) + 1);
    });
    if (standing === null || standing.number < floor) throw new ShardAway(`shard ${key} is being built anew`);
    if (comparison.withHeader) strays.push(...beyond.filter((serial) => serial >= standing.nextSerial));
    beyond = [];
  }
  const say = (serial: number, kind: Finding["kind"], expected: unknown, found: unknown) =>
    report({ batch: range.batch, shard: range.shard, serial, store: "redis", kind, number: floor, expected, found });
  for (const serial of strays) say(serial, "unexpected", null, "a user's slot has it");
  for (let index = 0; index < Math.min(table.count, issued - range.from); index += 1) {
    const seen = table.slotsSeen[index] as number;
    if (seen === 0) say(index + range.from, "missing", "in its user's slot", "in no slot");
    else if (seen > 1) say(index + range.from, "doubled", "in one slot", `in ${seen} slots`);
    else if (!same(table.slot, table.slotFound, index)) say(index + range.from, "facts", "its user and key", "others");
  }
}

/** Coupons whose bits or record were not, when they were read, what the log had told by then. */
async function findSuspects(comparison: RedisComparison): Promise<number[]> {
  const { reads, table, issued, signal } = comparison;
  const { range } = table;
  const end = Math.min(range.to, issued);
  const suspects: number[] = [];
  let touched: number[] = [];
  const flush = async (): Promise<void> => {
    if (touched.length === 0) return;
    const read = await reads.coupons(range, touched);
    if (read === null) throw new ShardAway(`shard ${comparison.key} is being built anew`);
    read.coupons.forEach((coupon, at) => {
      const serial = touched[at] as number;
      if (differenceOf(table, serial, coupon) !== null) suspects.push(serial);
    });
    touched = [];
  };
  const firstPage = Math.floor(range.from / COUPONS_IN_PAGE);
  const lastPage = Math.floor((end - 1) / COUPONS_IN_PAGE);
  for (let page = firstPage; page <= lastPage; page += PAGES_AT_ONCE) {
    signal.throwIfAborted();
    const count = Math.min(PAGES_AT_ONCE, lastPage - page + 1);
    const read = await reads.pages(range, page, count);
    if (read === null) throw new ShardAway(`shard ${comparison.key} is being built anew`);
    const from = Math.max(range.from, page * COUPONS_IN_PAGE);
    for (let serial = from; serial < Math.min(end, (page + count) * COUPONS_IN_PAGE); serial += 1) {
      const bits = bitsAt(read.bits[Math.floor(serial / COUPONS_IN_PAGE) - page] ?? null, serial);
      if (bits === 0 && table.state[serial - range.from] === couponStates.untouched) continue;
      touched.push(serial);
      if (touched.length >= COUPONS_AT_ONCE) await flush();
    }
  }
  await flush();
  return suspects;
}

/** Reads the coupons again, walks the log to the very entry, and compares: what differs now, differs. */
async function compareExactly({ reads, walk, key, table, report }: RedisComparison, serials: number[]): Promise<void> {
  const { range } = table;
  const read = await reads.coupons(range, serials);
  if (read === null) throw new ShardAway(`shard ${key} is being built anew`);
  await walkTo(walk, key, read.number);
  read.coupons.forEach((coupon, at) => {
    const serial = serials[at] as number;
    const difference = differenceOf(table, serial, coupon);
    if (difference === null) return;
    report({ batch: range.batch, shard: range.shard, serial, store: "redis", number: read.number, ...difference });
  });
}

function differenceOf(
  table: CouponTable,
  serial: number,
  coupon: HotCoupon,
): Pick<Finding, "kind" | "expected" | "found"> | null {
  const index = serial - table.range.from;
  const state = table.state[index] as number;
  const expected = nameOfState(state);
  const bits = BITS[state] as number;
  if (coupon.bits !== bits) {
    return { kind: "state", expected: { state: expected, bits }, found: { bits: coupon.bits } };
  }
  if (!coupon.warm) return null;
  const { record } = coupon;
  if (record === null) return { kind: "facts", expected, found: "a record that can't be read" };
  const isTouched = state !== couponStates.untouched;
  if (!isTouched || record.state !== STATES[state]) {
    return { kind: "state", expected: { state: expected }, found: { state: record.state } };
  }
  return sameRecord(table, index, coupon) ? null : { kind: "facts", expected: null, found: record };
}

const scratch = new Uint32Array(4);

function sameRecord(table: CouponTable, index: number, { record }: HotCoupon): boolean {
  scratch.fill(0);
  for (const redemption of record?.redemptions ?? []) {
    mark(scratch, 0, redemptionText(redemption));
    for (const reversal of redemption.reversals) {
      mark(scratch, 0, reversalText({ ...reversal, order: redemption.order }));
    }
  }
  if (record?.hold !== undefined) mark(scratch, 1, holdText(record.hold));
  const sameHold = (scratch[2] ?? 0) === table.hold[2 * index] && (scratch[3] ?? 0) === table.hold[2 * index + 1];
  return sameHold && scratch[0] === table.record[2 * index] && scratch[1] === table.record[2 * index + 1];
}

/** What the two bits of a coupon in each of the ledger's states are, and what its record says. */
const BITS = [0, 1, 1, 2, 3];
const STATES = ["effective", "effective", "locked", "redeemed", "deactivated"];

function bitsAt(page: Buffer | null, serial: number): number {
  const place = serial % COUPONS_IN_PAGE;
  const byte = page?.[place >> 2] ?? 0;
  return (byte >> (6 - 2 * (place & 3))) & 3;
}

function same(one: Uint32Array, other: Uint32Array, index: number): boolean {
  return one[2 * index] === other[2 * index] && one[2 * index + 1] === other[2 * index + 1];
}

/** Number of user buckets, by the log where it tells, else by the ledger. */
export function bucketsOf(told: ShardCount | null, books: ShardCount): number {
  return told?.rules?.buckets ?? books.rules?.buckets ?? 1;
}
