import { listCoupons as listStored, type NewestFirst, type StoredCoupon } from "@coupon/database";
import { type BatchDefinition, type CouponState, couponWindow } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { type Reader, readVerdict } from "../stores/batches.ts";
import type { Place } from "./cursors.ts";
import { found, type Outcome, refused } from "./outcome.ts";
import { showCoupon, stateOf, windowOf } from "./show-coupon.ts";

export interface Listing {
  userId: string;
  state?: CouponState;
  batchId?: string;
  /** Newest first unless by the end of the validity, soonest first: then of the user's newest `PAGE_ROWS_MAX` alone. */
  sort?: "validUntil";
  limit: number;
  cursor?: string;
}

interface Shown {
  coupon: StoredCoupon;
  definition: BatchDefinition;
  state: CouponState;
}

interface Page {
  items: Shown[];
  /** Where the next page begins after; null at the end. */
  next: Place | null;
}

/** Rows read at once. */
const CHUNK_ROWS = 500;
/**
 * Rows that one page looks at before it ends, short or empty: a filter may match next to nothing. By the end of the
 * validity every page looks at the same newest ones of the batches in question, and what is older is not listed.
 */
export const PAGE_ROWS_MAX = 5_000;

/**
 * A page of a user's coupons, of the batches that the reader may read. Filters by the state shown, so with
 * `pending` and `expired` as of now.
 */
export async function listCoupons(resources: LedgerResources, reader: Reader, listing: Listing): Promise<Outcome> {
  const name = nameOf(reader, listing);
  const after = listing.cursor === undefined ? null : resources.cursors.decode(name, listing.cursor);
  if (listing.cursor !== undefined && after === null) return refused("cursor_invalid");
  const verdict = readVerdict(reader, []);
  if (verdict !== null) return refused(verdict);
  const nowMs = resources.now();
  const candidates = new Map<number, BatchDefinition>();
  for (const definition of resources.batches.readableBy(reader)) {
    if (listing.batchId !== undefined && definition.batchId !== listing.batchId) continue;
    if (canShow(definition, listing.state, nowMs)) candidates.set(definition.batchNumber, definition);
  }
  const scan = new Scan(resources, listing, candidates, nowMs);
  const page = listing.sort === "validUntil" ? await scan.soonestFirst(after) : await scan.newestFirst(after);
  const items = page.items.map((each) => showCoupon(resources.codec, each.definition, each.coupon, each.state));
  const cursor = page.next === null ? "null" : `"${resources.cursors.encode(name, page.next)}"`;
  return found(`{"items":[${items.join(",")}],"nextCursor":${cursor}}`);
}

/** Everything that makes it this listing and no other. */
function nameOf(reader: Reader, { userId, state, batchId, sort }: Listing): string {
  return JSON.stringify([reader.callerId, reader.sandbox, userId, state ?? null, batchId ?? null, sort ?? null]);
}

/** Whether the batch can have a coupon that shows this state: spares the rows of batches long over. */
function canShow({ template, revoked }: BatchDefinition, state: CouponState | undefined, nowMs: number): boolean {
  if (state === undefined || state === "redeemed" || state === "deactivated") return true;
  if (revoked) return false;
  if (state === "locked" || !("from" in template.validity)) return true;
  const { validFromMs, validUntilMs } = couponWindow(template, 0);
  if (state === "expired") return nowMs >= validUntilMs;
  return state === "pending" ? nowMs < validFromMs : nowMs >= validFromMs && nowMs < validUntilMs;
}

class Scan {
  readonly #resources: LedgerResources;
  readonly #listing: Listing;
  readonly #candidates: Map<number, BatchDefinition>;
  readonly #nowMs: number;

  constructor(resources: LedgerResources, listing: Listing, candidates: Map<number, BatchDefinition>, nowMs: number) {
    this.#resources = resources;
    this.#listing = listing;
    this.#candidates = candidates;
    this.#nowMs = nowMs;
  }

  async newestFirst(after: Place | null): Promise<Page> {
    const { limit } = this.#listing;
    const items: Shown[] = [];
    let seen = 0;
    let last: StoredCoupon | null = null;
    for await (const rows of this.#chunks(after === null ? null : { ...after, issuedAtMs: after.at })) {
      for (const coupon of rows) {
        if (items.length === limit || seen === PAGE_ROWS_MAX) return { items, next: newestPlace(last) };
        seen += 1;
        last = coupon;
        const shown = this.#show(coupon);
        if (shown !== null) items.push(shown);
      }
    }
    return { items, next: null };
  }

  /** Looks at the newest coupons and keeps the page: the order is known only once they are read. */
  async soonestFirst(after: Place | null): Promise<Page> {
    const { limit } = this.#listing;
    let kept: { shown: Shown; place: Place }[] = [];
    let seen = 0;
    for await (const rows of this.#chunks(null)) {
      for (const coupon of rows) {
        const shown = this.#show(coupon);
        if (shown === null) continue;
        const place = { ...keyOf(coupon), at: windowOf(shown.definition, coupon).validUntilMs };
        if (after === null || compare(place, after) > 0) kept.push({ shown, place });
      }
      kept = kept.toSorted((a, b) => compare(a.place, b.place)).slice(0, limit + 1);
      seen += rows.length;
      if (seen >= PAGE_ROWS_MAX) break;
    }
    const page = kept.slice(0, limit);
    return {
      items: page.map((each) => each.shown),
      next: kept.length > limit ? (page.at(-1)?.place ?? null) : null,
    };
  }

  #show(coupon: StoredCoupon): Shown | null {
    const definition = this.#candidates.get(coupon.batch);
    if (definition === undefined) return null;
    const state = stateOf(definition, coupon, this.#nowMs);
    const wanted = this.#listing.state === undefined || this.#listing.state === state;
    return wanted ? { coupon, definition, state } : null;
  }

  async *#chunks(from: NewestFirst | null): AsyncGenerator<StoredCoupon[]> {
    const batches = [...this.#candidates.keys()];
    const { userId, limit } = this.#listing;
    if (batches.length === 0) return;
    const wholesale = this.#listing.state !== undefined || this.#listing.sort !== undefined;
    const chunk = wholesale ? CHUNK_ROWS : limit + 1;
    let after = from;
    for (;;) {
      const rows = await listStored(this.#resources.pool, { userId, batches, after, limit: chunk });
      yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < chunk) return;
      after = last;
    }
  }
}

function newestPlace(last: StoredCoupon | null): Place | null {
  return last === null ? null : { ...keyOf(last), at: last.issuedAtMs };
}

function keyOf({ batch, shard, serial }: StoredCoupon): { batch: number; shard: number; serial: number } {
  return { batch, shard, serial };
}

function compare(a: Place, b: Place): number {
  return a.at - b.at || a.batch - b.batch || a.shard - b.shard || a.serial - b.serial;
}
