import {
  type BatchDefinition,
  type DeactivateItem,
  type LockItem,
  NO_TOTALS,
  type RedeemItem,
  type ReleaseItem,
  type ReverseItem,
  type ShardRules,
} from "@coupon/domain";
import type { BatchVersion, History, Place } from "../history.ts";

/** An entry's place, made when a finding needs it. */
export interface At {
  shard: ShardBook;
  number: number;
  offset: number;
}

/** What the counted log says of a coupon, and what callers have said of it since. */
export interface CouponBook extends At {
  serial: number;
  userId: string;
  callerId: string;
  keyHash: string;
  via: string;
  issuedAtMs: number;
  /** The coupon of the same user and batch that came before. */
  before: CouponBook | null;
  story: CouponStory | null;
  /** A request that may have made it is known. */
  explained: boolean;
  /** When it was first asked for, first acknowledged and last refused, by the callers' clock. */
  calledMs: number;
  returnedMs: number;
  refusedMs: number;
  refusedBy: number;
  rows: number;
}

/** What happened to a coupon after it was issued. */
export interface CouponStory {
  state: "effective" | "locked" | "redeemed" | "deactivated";
  /** Code of the row's state, which follows rules of its own. */
  rowState: number;
  hold: (Fact & { kind: "lock" }) | null;
  /** The row of a hold outlives its deadline. */
  holdRow: (Fact & { kind: "lock" }) | null;
  redemption: Redemption | null;
  facts: Fact[];
}

interface FactBase extends At {
  atMs: number;
  /** callerId/orderId; "" of a deactivation. */
  order: string;
  explained: boolean;
  calledMs: number;
  returnedMs: number;
  rows: number;
}

export type Fact = FactBase &
  (
    | { kind: "lock"; item: LockItem; fresh: boolean }
    | { kind: "redeem"; item: RedeemItem; reversals: ReverseItem[]; held: boolean }
    | { kind: "release"; item: ReleaseItem }
    | { kind: "reverse"; item: ReverseItem }
    | { kind: "deactivate"; item: DeactivateItem }
  );
export type Redemption = Extract<Fact, { kind: "redeem" }>;

export interface Transfer extends At {
  kind: "debit" | "credit";
  peer: number;
  transfer: number;
  amount: number;
  atMs: number;
  rows: number;
}

export interface RulesFact extends At {
  atMs: number;
  rules: ShardRules;
  rows: number;
}

/** What the counted log says of a shard, entry by entry. */
export class ShardBook {
  readonly batch: BatchBook;
  readonly shard: number;
  readonly partition: number;
  number = 0;
  hash = "";
  atMs = 0;
  rules: ShardRules | null = null;
  left = 0;
  /** Actual start of the day of the last issue, and how many were issued in it. */
  dayStartMs = 0;
  dayIssued = 0;
  readonly coupons: CouponBook[] = [];
  readonly transfers: Transfer[] = [];
  readonly rulesFacts: RulesFact[] = [];
  readonly totals = { ...NO_TOTALS };
  rows = 0;

  constructor(batch: BatchBook, shard: number, partition: number) {
    this.batch = batch;
    this.shard = shard;
    this.partition = partition;
  }
}

/** A batch with all that its shards' logs say. */
export class BatchBook {
  readonly number: number;
  readonly versions: readonly BatchVersion[];
  /** The terms that never change after a batch is submitted: its template, time zone, callers' rights at their widest. */
  readonly definition: BatchDefinition;
  readonly shards = new Map<number, ShardBook>();
  /** Last coupon of each user. */
  readonly users = new Map<string, CouponBook>();
  readonly heldBy = new Map<string, number>();
  /** Coupons of a user in a day; only where days are limited. */
  readonly heldOnDay = new Map<string, number>();
  /** By user and key hash. */
  readonly keys = new Map<string, CouponBook>();

  constructor(versions: readonly BatchVersion[]) {
    const last = versions.at(-1);
    if (last === undefined) throw new Error("a batch has at least one version");
    this.versions = versions;
    this.definition = last.definition;
    this.number = last.definition.batchNumber;
  }

  /** The versions that may have been in force at some moment between the two times, by the callers' clock. */
  versionsBetween(fromMs: number, untilMs: number): BatchVersion[] {
    return this.versions.filter((version, index) => {
      const next = this.versions[index + 1];
      const replaced = next !== undefined && next.inForceAtMs !== null && next.inForceAtMs < fromMs;
      return version.publishedAtMs <= untilMs && !replaced;
    });
  }
}

export class Books {
  readonly byNumber = new Map<number, BatchBook>();
  readonly byId = new Map<string, BatchBook>();
  /** Of each partition, the offset after its last message and its last marker. */
  readonly ends = new Map<number, { end: number; epoch: number }>();

  constructor({ batches }: Pick<History, "batches">) {
    for (const { versions } of batches) {
      const book = new BatchBook(versions);
      this.byNumber.set(book.number, book);
      this.byId.set(book.definition.batchId, book);
    }
  }

  coupon(batch: number, shard: number, serial: number): CouponBook | undefined {
    return this.byNumber.get(batch)?.shards.get(shard)?.coupons[serial];
  }

  *shards(): Generator<ShardBook> {
    for (const batch of this.byNumber.values()) yield* batch.shards.values();
  }

  *coupons(): Generator<CouponBook> {
    for (const shard of this.shards()) yield* shard.coupons;
  }
}

export function placeOf({ shard, number, offset }: At): Place {
  return { batch: shard.batch.number, shard: shard.shard, number, partition: shard.partition, offset };
}

export function nameOf({ shard, serial }: { shard: ShardBook; serial: number }): string {
  return `coupon ${shard.batch.number}.${shard.shard}.${serial}`;
}

/** The facts of one kind that an order has with a coupon. */
export function factsOf<Kind extends Fact["kind"]>(
  coupon: CouponBook,
  kind: Kind,
  order: string,
): Extract<Fact, { kind: Kind }>[] {
  const facts = coupon.story?.facts ?? [];
  return facts.filter((fact) => fact.kind === kind && fact.order === order) as Extract<Fact, { kind: Kind }>[];
}
