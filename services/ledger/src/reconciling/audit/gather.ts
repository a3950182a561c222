import type { Derived, ShardCount } from "@coupon/database";
import { type Entry, shardKey } from "@coupon/domain";
import type { LogReader } from "@coupon/events";
import { LedgerRows } from "../../applying/ledger-rows.ts";
import { LogWalk } from "./log-walk.ts";

/** The entries of the log that name certain coupons of one shard, reduced to these coupons. */
export class CouponEntries {
  readonly entries: Entry[] = [];
  readonly #walk: LogWalk;
  readonly #key: string;

  /** @param onEntry is shown every entry of the shard, whole */
  constructor(
    reader: LogReader,
    at: { partition: number; batch: number; shard: number; serials: readonly number[] },
    onEntry: (entry: Entry) => void = () => {},
  ) {
    const serials = new Set(at.serials);
    this.#key = shardKey(at.batch, at.shard);
    this.#walk = new LogWalk(
      reader,
      at.partition,
      (key) => key === this.#key,
      (_, entry) => {
        onEntry(entry);
        const named = reduce(entry, serials);
        if (named !== null) this.entries.push(named);
      },
    );
  }

  /** Reads on up to an offset, exclusively. */
  to(offset: number): Promise<void> {
    return this.#walk.to(offset);
  }

  /** Offset of the next message to be read. */
  get position(): number {
    return this.#walk.position;
  }

  /** Whether the log has the issue of each of these coupons, so that all of their lives is known. */
  knowsAll(serials: readonly number[]): boolean {
    const issued = new Set<number>();
    for (const entry of this.entries)
      if (entry.kind === "issue") for (const [serial] of entry.items) issued.add(serial);
    const { count } = this;
    // A coupon that was never issued has no life to know.
    return serials.every((serial) => issued.has(serial) || (count !== null && serial >= count.issued));
  }

  /** Everything counted of the shard by then; null where the log does not go back to its first entry. */
  get count(): ShardCount | null {
    return this.#walk.shards.get(this.#key)?.count ?? null;
  }

  /** The coupons' rows, made by the code that made them first. */
  derive(): Omit<Derived, "books"> {
    const rows = new LedgerRows(null);
    for (const entry of this.entries) rows.add(0, entry, "");
    const { coupons, facts } = rows.write();
    return { coupons, facts, count: this.count };
  }

  close(): Promise<void> {
    return this.#walk.close();
  }
}

/** The entry with the items that name these coupons alone; null where it names none. */
export function reduce(entry: Entry, serials: ReadonlySet<number>): Entry | null {
  if (!("items" in entry)) return null;
  if (entry.kind === "issue") {
    const items = entry.items.filter(([serial]) => serials.has(serial));
    return items.length === 0 ? null : { ...entry, items };
  }
  const items = (entry.items as { serial: number }[]).filter(({ serial }) => serials.has(serial));
  return items.length === 0 ? null : ({ ...entry, items } as Entry);
}
