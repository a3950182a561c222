import { couponStates, type SerialRange } from "@coupon/database";
import type {
  DeactivateItem,
  Entry,
  EntryBase,
  IssueItem,
  LockItem,
  RedeemItem,
  ReleaseItem,
  ReverseItem,
} from "@coupon/domain";
import type { ShardReads, SlotPrint } from "@coupon/redis";
import {
  deactivationText,
  holdText,
  issueText,
  mark,
  redemptionText,
  releaseText,
  reversalText,
  rowText,
  setMark,
} from "./prints.ts";

/** Bytes that a coupon takes here while it is compared. */
export const BYTES_A_COUPON = 7 * 8 + 3;

/**
 * A stretch of a shard's coupons as the log has them, in a few dozen bytes each: prints of what the stores must hold,
 * so that millions are compared in bounded memory.
 */
export class CouponTable {
  readonly range: SerialRange;
  /** 0 to 4, as `ledger.coupon.state`. */
  readonly state: Uint8Array;
  /** Coupon row and fact rows: prints of the log's and of PostgreSQL's, combined. Nothing is left where they agree. */
  readonly rows: Uint32Array;
  /** The hold's row, and the hold in a record. */
  readonly holdRow: Uint32Array;
  readonly hold: Uint32Array;
  /** Redemptions and reversals in a record. */
  readonly record: Uint32Array;
  /** The place in the users' slots as it must be, and as it was found. */
  readonly slot: Uint32Array;
  readonly slotFound: Uint32Array;
  readonly slotsSeen: Uint8Array;
  readonly rowsSeen: Uint8Array;
  /** The first serial that the log tells of; what is before it is older than the log, and PostgreSQL's word is taken. */
  toldFrom = Number.MAX_SAFE_INTEGER;
  readonly #reads: Pick<ShardReads, "slotPrint">;
  #buckets: number;
  readonly #print: SlotPrint = [0, 0];

  /** @param buckets the shard's number of user buckets as the ledger has it; the log's own word outranks it */
  constructor(range: SerialRange, buckets: number, reads: Pick<ShardReads, "slotPrint">) {
    const count = range.to - range.from;
    this.range = range;
    this.#buckets = buckets;
    this.#reads = reads;
    this.state = new Uint8Array(count);
    this.rows = new Uint32Array(2 * count);
    this.holdRow = new Uint32Array(2 * count);
    this.hold = new Uint32Array(2 * count);
    this.record = new Uint32Array(2 * count);
    this.slot = new Uint32Array(2 * count);
    this.slotFound = new Uint32Array(2 * count);
    this.slotsSeen = new Uint8Array(count);
    this.rowsSeen = new Uint8Array(count);
  }

  get count(): number {
    return this.range.to - this.range.from;
  }

  has(serial: number): boolean {
    return serial >= this.range.from && serial < this.range.to;
  }

  /** Notes where the coupon's slot must be. */
  place(serial: number, userId: string, keyHash: string): void {
    const index = serial - this.range.from;
    this.#reads.slotPrint(this.range.batch, userId, keyHash, this.#buckets, this.#print);
    this.slot[2 * index] = this.#print[0];
    this.slot[2 * index + 1] = this.#print[1];
  }

  /** Lets an entry of the log happen to the coupons that it names here. */
  apply(entry: Entry): void {
    switch (entry.kind) {
      case "rules":
        this.#buckets = entry.rules.buckets;
        break;
      case "issue":
        this.toldFrom = Math.min(this.toldFrom, entry.items[0]?.[0] ?? this.toldFrom);
        for (const item of entry.items) if (this.has(item[0])) this.#issue(item, entry.at);
        break;
      case "lock":
        for (const item of entry.items) if (this.has(item.serial)) this.#lock(item, entry);
        break;
      case "redeem":
        for (const item of entry.items) if (this.has(item.serial)) this.#redeem(item, entry);
        break;
      case "release":
        for (const item of entry.items) if (this.has(item.serial)) this.#release(item, entry);
        break;
      case "reverse":
        for (const item of entry.items) if (this.has(item.serial)) this.#reverse(item, entry);
        break;
      case "deactivate":
        for (const item of entry.items) if (this.has(item.serial)) this.#deactivate(item, entry);
        break;
      default:
    }
  }

  #issue(item: IssueItem, atMs: number): void {
    mark(this.rows, item[0] - this.range.from, issueText(item, atMs));
    this.place(item[0], item[1], item[3]);
  }

  #lock(item: LockItem, { at }: EntryBase): void {
    const text = holdText({ ...item, order: orderOf(item) });
    this.#become(item, couponStates.locked);
    this.#hold(item.serial - this.range.from, text, rowText(text, at));
  }

  #redeem(item: RedeemItem, { number, at }: EntryBase): void {
    const text = redemptionText({ ...item, order: orderOf(item), redeemedAtMs: at });
    const index = this.#become(item, couponStates.redeemed);
    this.#hold(index, null, null);
    mark(this.record, index, text);
    mark(this.rows, index, rowText(text, number));
  }

  #release(item: ReleaseItem, { number, at }: EntryBase): void {
    const index = item.serial - this.range.from;
    if (item.held) {
      this.#become(item, couponStates.effective);
      this.#hold(index, null, null);
    } else if (this.state[index] === couponStates.untouched) this.#become(item, couponStates.effective);
    mark(this.rows, index, releaseText(number, orderOf(item), at, item.held));
  }

  #reverse(item: ReverseItem, { number, at }: EntryBase): void {
    const index = item.serial - this.range.from;
    const text = reversalText({ ...item, order: orderOf(item), reversedAtMs: at });
    if (item.restored) this.#become(item, couponStates.effective);
    mark(this.record, index, text);
    mark(this.rows, index, rowText(text, number, item.reason));
  }

  #deactivate(item: DeactivateItem, { number, at }: EntryBase): void {
    const index = this.#become(item, couponStates.deactivated);
    this.#hold(index, null, null);
    mark(this.rows, index, deactivationText(number, item.reason, at));
  }

  #become({ serial }: { serial: number }, state: number): number {
    const index = serial - this.range.from;
    this.state[index] = state;
    return index;
  }

  #hold(index: number, text: string | null, row: string | null): void {
    setMark(this.hold, index, text);
    setMark(this.holdRow, index, row);
  }

  /** Forgets what the log told of coupons that are older than it: PostgreSQL's rows will be put in its place. */
  clearOlder(): void {
    const older = Math.min(this.count, Math.max(0, this.toldFrom - this.range.from));
    this.state.fill(0, 0, older);
    for (const words of [this.rows, this.holdRow, this.hold, this.record, this.slot]) words.fill(0, 0, 2 * older);
  }
}

function orderOf({ callerId, orderId }: { callerId: string; orderId: string }): string {
  return `${callerId}/${orderId}`;
}
