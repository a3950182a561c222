import { setTimeout as sleep } from "node:timers/promises";
import {
  type AuditSnapshot,
  openAuditSnapshot,
  type Pool,
  type SerialRange,
  type ShardRow,
  type StrayRows,
} from "@coupon/database";
import { type BatchDefinition, shardKey } from "@coupon/domain";
import type { LogReader } from "@coupon/events";
import type { ShardReads } from "@coupon/redis";
import { compareBooks } from "../compare-counts.ts";
import { BooksAudit } from "./books/audit-books.ts";
import type { EntryMoney, EntryWindow } from "./books/entry-money.ts";
import { comparePostgres } from "./compare-postgres.ts";
import { bucketsOf, compareRedis, ShardAway } from "./compare-redis.ts";
import { BYTES_A_COUPON, CouponTable } from "./coupon-table.ts";
import type { Finding } from "./finding.ts";
import { LogWalk, type WalkedShard } from "./log-walk.ts";
import { isMisplaced, ShardPlaces } from "./shard-places.ts";

export interface AuditResources {
  /** Connections whose statements the server does not end. */
  snapshots: Pool;
  reader: LogReader;
  reads: ShardReads;
  definitionOf: (batch: number) => BatchDefinition | undefined;
  partitions: number;
  /** Rows of shards that have no row. */
  strays: StrayRows[];
  /** The batch that is wanted; null: all. */
  batch: number | null;
  /** Coupons compared in one walk over the log: 59 bytes each are held. */
  couponsAtOnce: number;
  /** How long a shard that is recovering is waited for. */
  awayMs: number;
  /** How long PostgreSQL may be silent while its rows are read. */
  silenceMs: number;
}

export interface AuditProgress {
  found(finding: Finding): void;
  /** A range has been compared, whole. */
  compared(coupons: number, shardDone: boolean): void;
  /** A shard of which Redis could not be compared. */
  left(key: string, because: string): void;
  signal: AbortSignal;
}

interface Planned {
  books: ShardRow;
  range: SerialRange;
  /** Entries whose lines are compared with it. */
  window: EntryWindow;
  /** Null where the shard has no books. */
  money: BooksAudit | null;
  isFirst: boolean;
  isLast: boolean;
}

/** A part of the plan while it is compared. */
interface Part {
  planned: Planned;
  table: CouponTable;
  entries: EntryMoney | null;
}

const AWAY_AGAIN_MS = 200;
/** Rows beyond what anybody says was issued are strays and get no room in a table. */
const STRAYS_MAX = 4_096;

/** Compares the shards of one partition that are wanted, coupon by coupon, in log, PostgreSQL and Redis. */
export async function auditPartition(
  resources: AuditResources,
  partition: number,
  wants: (batch: number, shard: number) => boolean,
  progress: AuditProgress,
): Promise<void> {
  const snapshot = await openAuditSnapshot(resources.snapshots, partition, resources.silenceMs);
  try {
    const plan: Planned[] = [];
    for (const books of snapshot.shards) {
      // One of another partition is named there.
      if (!wants(books.batch, books.shard) || isMisplaced(books, resources.partitions)) continue;
      plan.push(...(await planShard(resources, snapshot, books, progress)));
    }
    const places = new ShardPlaces(resources, snapshot, wants);
    places.tellMisplaced(progress.found);
    let isFirst = true;
    while (plan.length > 0 || (isFirst && places.mayLackRows)) {
      const group = takeGroup(plan, resources.couponsAtOnce);
      const onWalk = isFirst ? (walk: LogWalk) => places.tellMissing(walk.numbers, progress.found) : () => {};
      await auditTogether(resources, snapshot, group, { ...progress, onWalk }, plan.length === 0);
      isFirst = false;
    }
  } finally {
    await snapshot.close();
  }
}

async function planShard(
  { couponsAtOnce: atOnce, definitionOf }: AuditResources,
  snapshot: AuditSnapshot,
  books: ShardRow,
  progress: AuditProgress,
): Promise<Planned[]> {
  const { batch, shard, number } = books;
  const end = Math.max(books.issued, Math.min(await snapshot.serialsEnd(batch, shard), books.issued + STRAYS_MAX));
  const money = BooksAudit.open(
    await snapshot.money(batch, shard),
    books,
    definitionOf(batch),
    ({ mend: _, ...finding }) => progress.found({ ...{ batch, shard, number, store: "postgresql" }, ...finding }),
  );
  const parts = Math.max(1, Math.ceil(end / atOnce), Math.ceil(number / atOnce));
  return Array.from({ length: parts }, (_, part) => ({
    ...{ books, money, isFirst: part === 0, isLast: part === parts - 1 },
    range: { batch, shard, from: Math.min(end, part * atOnce), to: Math.min(end, (part + 1) * atOnce) },
    window: { from: part * atOnce + 1, to: Math.min(number, (part + 1) * atOnce) },
  }));
}

/** The next parts that fit into memory together: at least one. */
function takeGroup(plan: Planned[], couponsMax: number): Planned[] {
  const group: Planned[] = [];
  let bytes = 0;
  for (const { range, window, money } of plan) {
    bytes += (range.to - range.from) * BYTES_A_COUPON + (money?.bytesOf(window.to - window.from + 1) ?? 0);
    if (group.length > 0 && bytes > couponsMax * BYTES_A_COUPON) break;
    group.push(plan[group.length] as Planned);
  }
  plan.splice(0, group.length);
  return group;
}

async function auditTogether(
  { reader, reads, awayMs }: AuditResources,
  snapshot: AuditSnapshot,
  group: Planned[],
  progress: AuditProgress & { onWalk(walk: LogWalk): void },
  isLastGroup: boolean,
): Promise<void> {
  const tables = new Map<string, Part[]>();
  for (const planned of group) {
    const { books, range, window, money } = planned;
    const key = shardKey(books.batch, books.shard);
    const table = new CouponTable(range, books.rules?.buckets ?? 1, reads);
    tables.set(key, [...(tables.get(key) ?? []), { planned, table, entries: money?.entries(window) ?? null }]);
  }
  const walk = new LogWalk(
    reader,
    snapshot.partition,
    (key) => tables.has(key),
    (key, entry) => {
      progress.signal.throwIfAborted();
      for (const { table, entries } of tables.get(key) ?? []) {
        table.apply(entry);
        entries?.apply(entry);
      }
    },
  );
  try {
    await walk.to(snapshot.position);
    progress.onWalk(walk);
    // Where the log has nothing of a shard any more, all of its coupons are older.
    const issuedBy = new Map(group.map(({ books }) => [books, issuedOf(walk, books)]));
    for (const [key, parts] of tables) {
      for (const part of parts) {
        const { books, isFirst, isLast } = part.planned;
        const issued = issuedBy.get(books) ?? books.issued;
        const told = walk.shards.get(key);
        if (isFirst) compareCounters(told, books, progress);
        await comparePostgres(snapshot, part.table, { number: books.number, issued, isLast }, progress.found);
        // Where the row is not of the last entry, lines of the last entries would seem to be too many, or to be missing.
        if (part.entries === null || (told ?? books).number !== books.number) continue;
        await part.planned.money?.compare(snapshot, part.entries, isLast);
      }
    }
    if (isLastGroup) await snapshot.close();
    for (const [key, parts] of tables) {
      for (const { planned, table } of parts) {
        const { books, isFirst, isLast, range } = planned;
        const issued = issuedBy.get(books) ?? books.issued;
        const buckets = bucketsOf(walk.shards.get(key)?.count ?? null, books);
        const comparison = { reads, walk, key, table, issued, buckets, withHeader: isFirst };
        const because = await comparePatiently(comparison, progress, awayMs);
        if (because !== null) progress.left(key, because);
        progress.compared(Math.max(0, Math.min(range.to, issued) - range.from), isLast);
      }
    }
  } finally {
    await walk.close();
  }
}

function issuedOf(walk: LogWalk, books: ShardRow): number {
  return walk.shards.get(shardKey(books.batch, books.shard))?.count?.issued ?? books.issued;
}

/** Where the log does not go back to the shard's first entry, the row is still of the last one. */
function compareCounters(told: WalkedShard | undefined, books: ShardRow, progress: AuditProgress) {
  if (told === undefined) return;
  const { batch, shard, number } = books;
  const count = told.count ?? { ...books, number: told.number, hash: told.hash };
  for (const { counter, expected, found } of compareBooks(count, books)) {
    progress.found({
      ...{ batch, shard, serial: null, store: "postgresql", kind: "counter", number },
      ...{ expected: { [counter]: expected }, found: { [counter]: found } },
    });
  }
}

/** Compares with Redis; again, while the shard is recovering. Answers why it could not be compared, null where it was. */
async function comparePatiently(
  comparison: Omit<Parameters<typeof compareRedis>[0], "report" | "signal">,
  progress: AuditProgress,
  awayMs: number,
): Promise<string | null> {
  const until = performance.now() + awayMs;
  for (;;) {
    const findings: Finding[] = [];
    try {
      const report = (finding: Finding) => void findings.push(finding);
      await compareRedis({ ...comparison, report, signal: progress.signal });
      for (const finding of findings) progress.found(finding);
      return null;
    } catch (error) {
      if (!(error instanceof ShardAway)) throw error;
      if (performance.now() > until) return error.message;
    }
    await sleep(AWAY_AGAIN_MS, undefined, { signal: progress.signal });
  }
}
