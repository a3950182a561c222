import { hash } from "node:crypto";
import type { Discount, Entry, EntryKind, ShardRules } from "@coupon/domain";
import type { Random } from "./random.ts";

export interface StoryEntry {
  batch: number;
  shard: number;
  number: number;
  kind: EntryKind;
  text: string;
}

export interface StoryCoupon {
  serial: number;
  userId: string;
  issuedAtMs: number;
  state: "untouched" | "effective" | "locked" | "redeemed" | "deactivated";
  order: string | null;
  /** What is left of the discount of its last redemption. */
  left: number;
}

type Body = Entry extends infer Each
  ? Each extends Entry
    ? Omit<Each, "v" | "batch" | "shard" | "number" | "at" | "prev">
    : never
  : never;

export const ORDER_CALLER = "shop";

/**
 * Plays an owner and its scripts: writes the entries of one shard as they would come out of Redis, and keeps
 * the books of what the ledger must make of them, by the plainest means.
 */
export class ShardStory {
  readonly batch: number;
  readonly shard: number;
  readonly coupons: StoryCoupon[] = [];
  readonly books = { redemptions: 0, reversals: 0, releases: 0, deactivations: 0, discounted: 0, reversed: 0 };
  transfers = { debit: 0, credit: 0 };
  number = 0;
  #prev = "";
  #at: number;
  #orders = 0;

  constructor(batch: number, shard: number, atMs = 1_800_000_000_000) {
    this.batch = batch;
    this.shard = shard;
    this.#at = atMs;
  }

  get hash(): string {
    return this.#prev;
  }

  get atMs(): number {
    return this.#at;
  }

  /** Lets time go by. */
  later(ms: number): this {
    this.#at += ms;
    return this;
  }

  entry(body: Body): StoryEntry {
    const { batch, shard } = this;
    this.number += 1;
    const text = JSON.stringify({ v: 1, batch, shard, number: this.number, at: this.#at, prev: this.#prev, ...body });
    this.#prev = hash("sha1", text, "hex");
    return { batch, shard, number: this.number, kind: body.kind, text };
  }

  rules(overrides: Partial<ShardRules> = {}): StoryEntry {
    const rules: ShardRules = {
      version: 1,
      state: "issuing",
      revoked: false,
      fromMs: 0,
      untilMs: 4_000_000_000_000,
      allotment: 1_000_000,
      perDay: null,
      perUser: 100,
      perUserPerDay: null,
      buckets: 16,
      ...overrides,
    };
    return this.entry({ kind: "rules", rules });
  }

  issue(userIds: string[], callerId = ORDER_CALLER): StoryEntry {
    const items = userIds.map((userId) => {
      const serial = this.coupons.length;
      this.coupons.push({ serial, userId, issuedAtMs: this.#at, state: "untouched", order: null, left: 0 });
      return [serial, userId, callerId, serial.toString(16).padStart(16, "0"), "c"] as const;
    });
    const day = Math.floor(this.#at / 86_400_000) * 86_400_000;
    return this.entry({ kind: "issue", day, items: items.map((item) => [...item]) });
  }

  lock(serial: number, orderId: string, holdMs = 600_000, callerId = ORDER_CALLER): StoryEntry {
    const coupon = this.#coupon(serial);
    Object.assign(coupon, { state: "locked", order: orderId });
    const { userId } = coupon;
    const untilMs = this.#at + holdMs;
    const item = { serial, userId, callerId, orderId, payload: "00000000000000aa", untilMs, discount: discountOf(500) };
    return this.entry({ kind: "lock", items: [item] });
  }

  redeem(serial: number, orderId: string, discount = discountOf(500), callerId = ORDER_CALLER): StoryEntry {
    const coupon = this.#coupon(serial);
    Object.assign(coupon, { state: "redeemed", order: orderId, left: discount.discount });
    this.books.redemptions += 1;
    this.books.discounted += discount.discount;
    const item = { serial, userId: coupon.userId, callerId, orderId, payload: "", discount };
    return this.entry({ kind: "redeem", items: [item] });
  }

  release(serial: number, orderId: string, callerId = ORDER_CALLER): StoryEntry {
    return this.entry({ kind: "release", items: [this.#released(serial, orderId, callerId)] });
  }

  /** One entry, as a micro-batch makes it of orders that give one coupon back together. */
  releaseForAll(serial: number, orderIds: readonly string[]): StoryEntry {
    const items = orderIds.map((orderId) => this.#released(serial, orderId, ORDER_CALLER));
    return this.entry({ kind: "release", items });
  }

  #released(serial: number, orderId: string, callerId: string) {
    const coupon = this.#coupon(serial);
    const held = coupon.state === "locked" && coupon.order === orderId;
    if (held || coupon.state === "untouched") coupon.state = "effective";
    this.books.releases += 1;
    return { serial, userId: coupon.userId, callerId, orderId, held };
  }

  reverse(serial: number, orderId: string, amount: number, remaining: number, restored: boolean): StoryEntry {
    const coupon = this.#coupon(serial);
    if (restored) coupon.state = "effective";
    coupon.left = remaining;
    this.books.reversals += 1;
    this.books.reversed += amount;
    const reversalId = `rev_${this.batch}_${this.shard}_${this.number + 1}`;
    const item = {
      serial,
      userId: coupon.userId,
      callerId: ORDER_CALLER,
      orderId,
      reversalId,
      keyHash: "00000000000000bb",
      payload: "00000000000000cc",
      reason: "returned",
      reversed: discountOf(amount),
      remaining,
      restored,
    };
    return this.entry({ kind: "reverse", items: [item] });
  }

  deactivate(serial: number): StoryEntry {
    this.#coupon(serial).state = "deactivated";
    this.books.deactivations += 1;
    return this.entry({ kind: "deactivate", items: [{ serial, reason: "fraud" }] });
  }

  debit(amount: number): StoryEntry {
    this.transfers.debit += 1;
    return this.entry({ kind: "debit", target: 900, amount, transfer: this.transfers.debit });
  }

  credit(amount: number): StoryEntry {
    this.transfers.credit += 1;
    return this.entry({ kind: "credit", source: 901, amount, transfer: this.transfers.credit });
  }

  /** Some legal next entry. */
  random(random: Random): StoryEntry {
    this.later(random.below(3_000));
    if (this.number === 0) return this.rules();
    const issued = this.coupons.length;
    if (issued === 0 || random.chance(0.4)) {
      return this.issue(Array.from({ length: 1 + random.below(20) }, () => `user-${random.below(50)}`));
    }
    const serial = random.below(issued);
    const { state, order, left } = this.#coupon(serial);
    const orderId = `order-${this.batch}-${this.shard}-${this.#orders++}`;
    if (random.chance(0.05))
      return random.chance(0.5) ? this.debit(1 + random.below(9)) : this.credit(1 + random.below(9));
    if (random.chance(0.03)) return this.rules({ version: this.number });
    if (random.chance(0.15)) return this.release(serial, orderId);
    if (state === "locked") {
      if (random.chance(0.1)) return this.deactivate(serial);
      return random.chance(0.6) ? this.redeem(serial, order ?? orderId) : this.release(serial, order ?? orderId);
    }
    if (state === "redeemed" && left > 0) {
      const whole = left <= 100 || random.chance(0.5);
      const amount = whole ? left : 1 + random.below(100);
      return this.reverse(serial, order ?? orderId, amount, left - amount, whole && random.chance(0.5));
    }
    if (state === "deactivated" || state === "redeemed") return this.issue([`user-${random.below(50)}`]);
    if (random.chance(0.5)) return this.lock(serial, orderId);
    return this.redeem(serial, orderId, discountOf(1 + random.below(500)));
  }

  #coupon(serial: number): StoryCoupon {
    const coupon = this.coupons[serial];
    if (coupon === undefined) throw new Error(`no coupon ${serial}`);
    return coupon;
  }
}

export function discountOf(discount: number): Discount {
  return { discount, currency: "CNY", lines: [{ lineId: "1", quantity: 1, discount }] };
}
