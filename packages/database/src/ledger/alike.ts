import type { Statement } from "./advance.ts";
import type { CouponKey, FactRows } from "./rows.ts";

/** Coupons of one shard to which the same is done. */
export interface AlikeCoupons<Row extends CouponKey = CouponKey> {
  /** One of them, for what they share. */
  first: Row;
  serials: number[];
}

/** So many coupons pay a statement, and its round trip, of their own. */
const ALIKE_MIN = 32;

/**
 * Splits rows into those that many of one shard are alike in, and the others. One statement for one shard finds its
 * partition once, and coupons page by page instead of one by one.
 *
 * @param likeness what must be equal, beside the shard
 */
export function splitAlike<Row extends CouponKey>(
  rows: readonly Row[],
  likeness: (row: Row) => number,
): { alike: AlikeCoupons<Row>[]; others: Row[] } {
  const groups = new Map<string, Row[]>();
  let last: Row[] = [];
  for (const row of rows) {
    const [before] = last;
    if (before !== undefined && isAlike(before, row) && likeness(before) === likeness(row)) last.push(row);
    else {
      const key = `${row.batch}.${row.shard}.${likeness(row)}`;
      last = groups.get(key) ?? [];
      last.push(row);
      groups.set(key, last);
    }
  }
  const alike: AlikeCoupons<Row>[] = [];
  const others: Row[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined || group.length < ALIKE_MIN) others.push(...group);
    else alike.push({ first, serials: group.map(({ serial }) => serial) });
  }
  return { alike, others };
}

function isAlike(one: CouponKey, other: CouponKey): boolean {
  return one.batch === other.batch && one.shard === other.shard;
}

const ofShard = "batch = $1 AND shard = $2 AND serial = ANY ($3::integer[])";

export function stateOfShard({ first, serials }: AlikeCoupons<FactRows["states"][number]>): Statement {
  return {
    name: "ledger-states-of-shard",
    text: `UPDATE ledger.coupon SET state = CASE WHEN $4::integer < 0 THEN greatest(state, 1) ELSE $4 END WHERE ${ofShard}`,
    values: [first.batch, first.shard, serials, first.state],
  };
}

export function holdsEndedOfShard({ first, serials }: AlikeCoupons): Statement {
  return {
    name: "ledger-holds-ended-of-shard",
    text: `DELETE FROM ledger.hold WHERE ${ofShard}`,
    values: [first.batch, first.shard, serials],
  };
}
