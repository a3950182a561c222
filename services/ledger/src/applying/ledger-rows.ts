import {
  CouponCopy,
  type CouponKey,
  couponStates,
  type FactRows,
  type HoldRow,
  type LedgerWrite,
  noPostings,
  type PositionAdvance,
  type ShardAdvance,
  STATE_TOUCHED,
} from "@coupon/database";
import { type Entry, NO_TOTALS, shardKey } from "@coupon/domain";
import { Journal } from "../posting/journal.ts";
import type { TermsSource } from "../posting/terms.ts";

type StateRow = FactRows["states"][number];
type Of<Kind extends Entry["kind"]> = Extract<Entry, { kind: Kind }>;

/**
 * The rows of one transaction, gathered entry by entry in the order of the log. What several entries do to
 * one coupon or one shard is reduced to what is left of it in the end. Used again after `clear`.
 */
export class LedgerRows {
  readonly #coupons = new CouponCopy();
  readonly #positions = new Map<number, PositionAdvance>();
  readonly #shards = new Map<string, ShardAdvance>();
  readonly #states = new Map<string, StateRow>();
  /** null where the coupon is held no more. */
  readonly #holds = new Map<string, { coupon: CouponKey; hold: HoldRow | null }>();
  #redemptions: FactRows["redemptions"] = [];
  #reversals: FactRows["reversals"] = [];
  #releases: FactRows["releases"] = [];
  #deactivations: FactRows["deactivations"] = [];
  #rules: FactRows["rules"] = [];
  #transfers: FactRows["transfers"] = [];
  readonly #journal: Journal | null;
  #corrections: FactRows["corrections"] = [];
  #facts = 0;
  #entries = 0;

  /** @param terms null where rows are made anew of entries that were posted when they were first applied */
  constructor(terms: TermsSource | null) {
    this.#journal = terms === null ? null : new Journal(terms);
  }

  /** Rows so far, to know when a transaction is large enough. */
  get rows(): number {
    return this.#coupons.rows + this.#facts;
  }

  get entries(): number {
    return this.#entries;
  }

  get positions(): PositionAdvance[] {
    return [...this.#positions.values()];
  }

  clear(): void {
    this.#coupons.clear();
    this.#positions.clear();
    this.#shards.clear();
    this.#states.clear();
    this.#holds.clear();
    this.#redemptions = [];
    this.#reversals = [];
    this.#releases = [];
    this.#deactivations = [];
    this.#rules = [];
    this.#transfers = [];
    this.#journal?.clear();
    this.#corrections = [];
    this.#facts = 0;
    this.#entries = 0;
  }

  /** The rows have been committed. */
  committed(): void {
    this.#journal?.committed();
  }

  advance(position: PositionAdvance): void {
    this.#positions.set(position.partition, position);
  }

  write(): LedgerWrite {
    const holds = [...this.#holds.values()];
    return {
      positions: this.positions,
      shards: [...this.#shards.values()],
      coupons: this.#coupons,
      facts: {
        states: [...this.#states.values()],
        holds: holds.flatMap(({ hold }) => hold ?? []),
        holdsEnded: holds.filter(({ hold }) => hold === null).map(({ coupon }) => coupon),
        redemptions: this.#redemptions,
        reversals: this.#reversals,
        releases: this.#releases,
        deactivations: this.#deactivations,
        rules: this.#rules,
        transfers: this.#transfers,
        corrections: this.#corrections,
      },
      postings: this.#journal?.work() ?? noPostings,
    };
  }

  /**
   * Adds an entry that counts.
   *
   * @param hash SHA-1 of its text, hex
   * @throws whatever comes of an entry that is not of its form; the rows are not to be written then
   */
  add(partition: number, entry: Entry, hash: string): void {
    const shard = this.#shard(partition, entry);
    shard.number = entry.number;
    shard.hash = hash;
    shard.atMs = entry.at;
    this.#entries += 1;
    this.#apply(entry, shard);
    this.#journal?.add(entry);
  }

  #apply(entry: Entry, shard: ShardAdvance): void {
    switch (entry.kind) {
      case "issue":
        this.#issue(entry, shard);
        break;
      case "lock":
        this.#lock(entry);
        break;
      case "redeem":
        this.#redeem(entry, shard);
        break;
      case "release":
        this.#release(entry);
        break;
      case "reverse":
        this.#reverse(entry, shard);
        break;
      case "deactivate":
        this.#deactivate(entry, shard);
        break;
      case "rules":
        this.#changeRules(entry, shard);
        break;
      case "debit":
      case "credit":
        this.#transfer(entry, shard);
        break;
      case "correct":
        this.#correct(entry);
        break;
      default:
        throw unknownKind(entry);
    }
  }

  #issue({ batch, shard, at, day, items }: Of<"issue">, advance: ShardAdvance): void {
    for (const item of items) this.#coupons.add(batch, shard, at, item);
    advance.issued += items.length;
    const before = advance.day?.startMs === day ? advance.day.issued : 0;
    advance.day = { startMs: day, issued: before + items.length };
  }

  #lock({ batch, shard, at, items }: Of<"lock">): void {
    for (const { serial, callerId, orderId, payload, untilMs, discount } of items) {
      const coupon = { batch, shard, serial };
      this.#state(coupon, couponStates.locked);
      this.#hold(coupon, { ...coupon, callerId, orderId, payload, lockedAtMs: at, untilMs, discount });
    }
    this.#facts += items.length;
  }

  #redeem({ batch, shard, number, at, items }: Of<"redeem">, advance: ShardAdvance): void {
    for (const { serial, callerId, orderId, payload, discount } of items) {
      const coupon = { batch, shard, serial };
      this.#state(coupon, couponStates.redeemed);
      this.#hold(coupon, null);
      this.#redemptions.push({ ...coupon, callerId, orderId, number, payload, redeemedAtMs: at, discount });
      advance.redemptions += 1;
      advance.discounted += discount.discount;
    }
    this.#facts += items.length;
  }

  #release({ batch, shard, number, at, items }: Of<"release">): void {
    for (const { serial, callerId, orderId, held } of items) {
      const coupon = { batch, shard, serial };
      this.#state(coupon, held ? couponStates.effective : STATE_TOUCHED);
      if (held) this.#hold(coupon, null);
      this.#releases.push({ ...coupon, callerId, orderId, number, releasedAtMs: at, held });
    }
    this.#facts += items.length;
  }

  #reverse({ batch, shard, number, at, items }: Of<"reverse">, advance: ShardAdvance): void {
    for (const { serial, userId: _, ...item } of items) {
      const coupon = { batch, shard, serial };
      if (item.restored) this.#state(coupon, couponStates.effective);
      this.#reversals.push({ ...coupon, ...item, number, reversedAtMs: at });
      advance.reversals += 1;
      advance.restored += item.restored ? 1 : 0;
      advance.discountReversed += item.reversed.discount;
    }
    this.#facts += items.length;
  }

  #deactivate({ batch, shard, number, at, items }: Of<"deactivate">, advance: ShardAdvance): void {
    for (const { serial, reason } of items) {
      const coupon = { batch, shard, serial };
      this.#state(coupon, couponStates.deactivated);
      this.#hold(coupon, null);
      this.#deactivations.push({ ...coupon, number, reason, deactivatedAtMs: at });
      advance.deactivated += 1;
    }
    this.#facts += items.length;
  }

  #changeRules({ batch, shard, number, at, rules }: Of<"rules">, advance: ShardAdvance): void {
    const text = JSON.stringify(rules);
    advance.rules = text;
    this.#rules.push({ batch, shard, number, atMs: at, version: rules.version, rules: text });
    this.#facts += 1;
  }

  #transfer(entry: Of<"debit"> | Of<"credit">, advance: ShardAdvance): void {
    const { batch, shard, number, kind, transfer, amount } = entry;
    const peer = entry.kind === "debit" ? entry.target : entry.source;
    this.#transfers.push({ batch, shard, number, kind, peer, transfer, amount, atMs: entry.at });
    advance[entry.kind === "debit" ? "debited" : "credited"] += amount;
    this.#facts += 1;
  }

  #correct({ batch, shard, number, at, correction }: Of<"correct">): void {
    this.#corrections.push({ ...correction, batch, shard, number, atMs: at });
    this.#facts += 1;
  }

  #state(coupon: CouponKey, state: StateRow["state"]): void {
    const key = keyOf(coupon);
    if (state === STATE_TOUCHED && this.#states.has(key)) return;
    this.#states.set(key, { ...coupon, state });
  }

  #hold(coupon: CouponKey, hold: HoldRow | null): void {
    this.#holds.set(keyOf(coupon), { coupon, hold });
  }

  #shard(partition: number, { batch, shard }: Entry): ShardAdvance {
    const key = shardKey(batch, shard);
    let advance = this.#shards.get(key);
    if (advance === undefined) {
      advance = emptyAdvance(partition, batch, shard);
      this.#shards.set(key, advance);
    }
    return advance;
  }
}

function keyOf({ batch, shard, serial }: CouponKey): string {
  return `${batch}.${shard}.${serial}`;
}

function emptyAdvance(partition: number, batch: number, shard: number): ShardAdvance {
  return { ...NO_TOTALS, batch, shard, partition, number: 0, hash: "", atMs: 0, issued: 0, day: null, rules: null };
}

function unknownKind(entry: never): Error {
  return new TypeError(`an entry of the kind ${(entry as { kind?: unknown }).kind} is not known`);
}
