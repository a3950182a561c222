import type { ShardMoney, StoredTransfer } from "@coupon/database";
import type { Entry, ReverseItem } from "@coupon/domain";
import type { PostingTerms } from "../../../posting/terms.ts";

/** What an entry does to money, by what it is told as here. */
export const moneyKinds = { none: 0, issue: 1, lock: 2, redeem: 3, reverse: 4, deactivate: 5, revoke: 6 } as const;
type MoneyKind = (typeof moneyKinds)[keyof typeof moneyKinds];

/** What one entry must have brought into the journal. */
export interface EntryTold {
  kind: MoneyKind;
  atMs: number;
  /** Coupons that it names. */
  coupons: number;
  /**
   * Coupons that it brings back to the books or takes off them besides what its kind says by itself: what the log can't
   * tell, for it does not say when the shard was swept.
   */
  least: number;
  most: number;
  /** The parties' parts of what it has cost, or given back. */
  parts: number[];
  /** Of the one coupon that it names; null where it names more. */
  serial: number | null;
}

/** Entries of a shard of which the lines are compared at a time: `from` to `to`, both included. */
export interface EntryWindow {
  from: number;
  to: number;
}

/** Bytes that an entry takes here while its lines are compared, and more for each funding party. */
export const BYTES_AN_ENTRY = 25;
export const BYTES_A_PART = 8;

/**
 * What the entries of a shard mean in money, by the plainest means: on purpose not the code that posts them, which it
 * checks. It keeps a few dozen bytes an entry of a window, and totals of all entries up to the last.
 */
export class EntryMoney {
  readonly window: EntryWindow;
  readonly transfers = new Map<number, StoredTransfer>();
  /** The first entry that the log tells of; 1 where it tells all. */
  toldFrom = Number.MAX_SAFE_INTEGER;
  /** Totals: coupons that may yet be redeemed, such as were killed one by one and not swept, what swept ones have cost. */
  outstanding = 0;
  killed = 0;
  overCost = 0;
  revoked = false;
  readonly cost: number[];
  readonly #last: number;
  readonly #swept: number;
  readonly #deferred: ReadonlySet<number>;
  readonly #terms: PostingTerms;
  readonly #kind: Uint8Array;
  readonly #at: Float64Array;
  readonly #coupons: Uint32Array;
  readonly #least: Uint32Array;
  readonly #most: Uint32Array;
  readonly #serial: Int32Array;
  readonly #parts: Float64Array;

  /** @param last the shard's last entry at the moment of its books: what comes after it counts for nothing */
  constructor(
    window: EntryWindow,
    last: number,
    books: Pick<ShardMoney, "swept" | "deferred" | "deferredInVain" | "notDeferred">,
    terms: PostingTerms,
  ) {
    const count = Math.max(0, window.to - window.from + 1);
    this.window = window;
    this.#last = last;
    this.#swept = books.swept;
    this.#deferred = new Set(
      [...books.deferred, ...books.notDeferred].filter((each) => !books.deferredInVain.includes(each)),
    );
    this.#terms = terms;
    this.cost = terms.parties.map(() => 0);
    this.#kind = new Uint8Array(count);
    this.#at = new Float64Array(count);
    this.#coupons = new Uint32Array(count);
    this.#least = new Uint32Array(count);
    this.#most = new Uint32Array(count);
    this.#serial = new Int32Array(count);
    this.#parts = new Float64Array(count * terms.parties.length);
  }

  /** Whether the log tells of the shard from its first entry on. */
  get isWhole(): boolean {
    return this.toldFrom === 1;
  }

  /** What the log tells of an entry of the window; null where that is older than the log. */
  told(number: number): EntryTold | null {
    const at = number - this.window.from;
    if (number < this.toldFrom || at < 0 || at >= this.#kind.length) return null;
    const parties = this.#terms.parties.length;
    const serial = this.#serial[at] as number;
    return {
      kind: this.#kind[at] as MoneyKind,
      atMs: this.#at[at] as number,
      coupons: this.#coupons[at] as number,
      least: this.#least[at] as number,
      most: this.#most[at] as number,
      parts: [...this.#parts.subarray(at * parties, (at + 1) * parties)],
      serial: this.#coupons[at] === 1 && serial >= 0 ? serial : null,
    };
  }

  apply(entry: Entry): void {
    if (entry.number > this.#last) return;
    this.toldFrom = Math.min(this.toldFrom, entry.number);
    if (entry.kind === "debit" || entry.kind === "credit") this.#transfer(entry);
    if (entry.kind === "rules" && entry.rules.revoked && !this.revoked) {
      this.#note(entry, "revoke", [0, 0]);
      this.revoked = true;
      this.outstanding = 0;
    }
    if (!("items" in entry)) return;
    const serials = entry.items.map((item) => (Array.isArray(item) ? item[0] : (item as { serial: number }).serial));
    switch (entry.kind) {
      case "issue":
        for (const serial of serials) this.#out(serial, 1);
        this.#note(entry, "issue", [0, 0], serials);
        break;
      case "lock":
        this.#note(entry, "lock", this.revoked ? [0, 0] : [0, this.#sweptOf(serials)], serials);
        break;
      case "redeem":
        for (const serial of serials) this.#out(serial, -1);
        this.#note(entry, "redeem", this.#backFor(serials), serials);
        for (const { serial, discount } of entry.items) this.#cost(entry.number, serial, 1, discount.discount, 0);
        break;
      case "reverse":
        this.#reverse(entry.items);
        this.#note(entry, "reverse", this.#bounds(entry.items.filter(({ restored }) => restored)), serials);
        for (const { serial, reversed, remaining } of entry.items) {
          this.#cost(entry.number, serial, -1, remaining + reversed.discount, remaining);
        }
        break;
      case "deactivate":
        for (const serial of serials) this.#out(serial, -1);
        this.killed += serials.filter((serial) => serial >= this.#swept).length;
        this.#note(entry, "deactivate", this.#bounds(entry.items), serials);
        break;
      default:
    }
  }

  #reverse(items: readonly ReverseItem[]): void {
    for (const { serial, restored } of items) if (restored) this.#out(serial, 1);
  }

  /** A swept coupon that is put off is on the books; one that comes back when it is over, or dead, is not. */
  #out(serial: number, by: 1 | -1): void {
    if (!this.revoked && (serial >= this.#swept || this.#deferred.has(serial))) this.outstanding += by;
  }

  #sweptOf(serials: readonly number[]): number {
    return serials.filter((serial) => serial < this.#swept).length;
  }

  /** Redemptions of coupons that were off the books by then: in a shard that was revoked, all. */
  #backFor(serials: readonly number[]): [number, number] {
    if (this.revoked && this.isWhole) return [serials.length, serials.length];
    return [0, this.revoked ? serials.length : this.#sweptOf(serials)];
  }

  /** So many coupons certainly moved, and so many at most: those that have been swept may have been by then. */
  #bounds(items: readonly { serial: number }[]): [number, number] {
    if (this.revoked) return [0, 0];
    const sure = items.filter(({ serial }) => serial >= this.#swept).length;
    // Of a log that does not tell all, it may have been revoked before.
    return [this.isWhole ? sure : 0, items.length];
  }

  #note(entry: Entry, kind: keyof typeof moneyKinds, [least, most]: [number, number], serials: number[] = []): void {
    const at = entry.number - this.window.from;
    if (at < 0 || at >= this.#kind.length) return;
    this.#kind[at] = moneyKinds[kind];
    this.#at[at] = entry.at;
    this.#coupons[at] = serials.length;
    this.#least[at] = least;
    this.#most[at] = most;
    this.#serial[at] = serials.length === 1 ? (serials[0] as number) : -1;
  }

  /** What a party has to settle of a coupon goes from its part of one amount to its part of another. */
  #cost(number: number, serial: number, sign: 1 | -1, one: number, other: number): void {
    const [left, right] = [this.#terms.split(one), this.#terms.split(other)];
    const at = (number - this.window.from) * left.length;
    for (let party = 0; party < left.length; party += 1) {
      const part = (left[party] as number) - (right[party] as number);
      if (at >= 0 && at < this.#parts.length) this.#parts[at + party] = (this.#parts[at + party] as number) + part;
      this.cost[party] = (this.cost[party] as number) + sign * part;
    }
    if (serial < this.#swept) this.overCost += sign * (one - other);
  }

  #transfer(entry: Extract<Entry, { kind: "debit" | "credit" }>): void {
    const { number, kind, transfer, amount, at: atMs } = entry;
    const peer = entry.kind === "debit" ? entry.target : entry.source;
    this.transfers.set(number, { number, kind, peer, transfer, amount, atMs });
  }
}
