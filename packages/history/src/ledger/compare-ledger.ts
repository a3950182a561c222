import type { Findings } from "../findings.ts";
import type { Place } from "../history.ts";
import { type At, type Books, type CouponBook, type Fact, nameOf, placeOf, type ShardBook } from "../log/books.ts";
import { same } from "../same.ts";
import type { CouponRow, LedgerRows, ShardRow } from "./ledger-rows.ts";

/** Holds every row of the ledger to the log, and the log to the rows: nothing missing, doubled, made up or different. */
export function compareLedger(rows: LedgerRows, books: Books, findings: Findings): void {
  comparePositions(rows, books, findings);
  for (const row of rows.coupons) compareCoupon(row, books, findings);
  for (const coupon of books.coupons()) {
    if (coupon.rows !== 1) differs(findings, `${nameOf(coupon)} has ${coupon.rows} rows`, coupon);
  }
  compareShards(rows.shards, books, findings);
  compareFacts(rows, books, findings);
  compareHolds(rows, books, findings);
}

function differs(findings: Findings, detail: string, at?: At): void {
  const entries: Place[] = at === undefined ? [] : [placeOf(at)];
  findings.add("ledger_differs", detail, [], entries);
}

function comparePositions({ positions }: LedgerRows, books: Books, findings: Findings): void {
  const found = new Map(positions.map((row) => [row.partition, row]));
  for (const [partition, { end, epoch }] of books.ends) {
    const row = found.get(partition);
    const right = row !== undefined && row.position === end && row.epoch === epoch;
    if (!right)
      differs(findings, `partition ${partition} stands at ${row?.position ?? "nothing"} of ${end} in the ledger`);
  }
}

function compareCoupon(row: CouponRow, books: Books, findings: Findings): void {
  const coupon = books.coupon(row.batch, row.shard, row.serial);
  if (coupon === undefined) {
    differs(findings, `coupon ${row.batch}.${row.shard}.${row.serial} is in the ledger and not in the log`);
    return;
  }
  coupon.rows += 1;
  const right =
    row.userId === coupon.userId &&
    row.callerId === coupon.callerId &&
    row.keyHash === coupon.keyHash &&
    row.via === coupon.via &&
    row.issuedAtMs === coupon.issuedAtMs;
  if (!right) differs(findings, `the row of ${nameOf(coupon)} is not what was issued`, coupon);
  const state = coupon.story?.rowState ?? 0;
  if (row.state !== state)
    differs(findings, `${nameOf(coupon)} has the state ${row.state} in the ledger, not ${state}`, coupon);
}

function compareShards(rows: readonly ShardRow[], books: Books, findings: Findings): void {
  for (const row of rows) {
    const shard = books.byNumber.get(row.batch)?.shards.get(row.shard);
    if (shard === undefined) {
      differs(findings, `shard ${row.batch}.${row.shard} is in the ledger and not in the log`);
      continue;
    }
    shard.rows += 1;
    const wrong = Object.entries(expectedOf(shard)).filter(
      ([name, value]) => !same(row[name as keyof ShardRow], value),
    );
    for (const [name, value] of wrong) {
      const has = JSON.stringify(row[name as keyof ShardRow]);
      differs(
        findings,
        `shard ${row.batch}.${row.shard} has ${name} ${has} in the ledger, not ${JSON.stringify(value)}`,
      );
    }
  }
  for (const shard of books.shards()) {
    if (shard.rows !== 1) differs(findings, `shard ${shard.batch.number}.${shard.shard} has ${shard.rows} rows`);
  }
}

/** The day of the last issue is as the entry had it; that it is the right one is looked at with the entry. */
function expectedOf(shard: ShardBook): Partial<ShardRow> {
  const { partition, number, hash, atMs, dayIssued, totals, rules } = shard;
  return { partition, number, hash, atMs, issued: shard.coupons.length, dayIssued, ...totals, rules };
}

type FactKind = Fact["kind"];

/** The rows of each table of facts, as the log has them. */
const expected: { [Kind in Exclude<FactKind, "lock">]: (fact: Extract<Fact, { kind: Kind }>) => object } = {
  redeem: ({ atMs, number, item: { callerId, orderId, payload, discount } }) => ({
    callerId,
    orderId,
    number,
    payload,
    redeemedAtMs: atMs,
    discount,
  }),
  release: ({ atMs, number, item: { callerId, orderId, held } }) => ({
    callerId,
    orderId,
    number,
    releasedAtMs: atMs,
    held,
  }),
  reverse: ({ atMs, number, item: { serial: _, userId: __, ...item } }) => ({ ...item, number, reversedAtMs: atMs }),
  deactivate: ({ atMs, number, item: { reason } }) => ({ number, reason, deactivatedAtMs: atMs }),
};

function compareFacts(rows: LedgerRows, books: Books, findings: Findings): void {
  compareCouponFacts("redeem", rows.redemptions, books, findings);
  compareCouponFacts("release", rows.releases, books, findings);
  compareCouponFacts("reverse", rows.reversals, books, findings);
  compareCouponFacts("deactivate", rows.deactivations, books, findings);
  for (const coupon of books.coupons()) {
    for (const fact of coupon.story?.facts ?? []) {
      if (fact.kind === "lock" || fact.rows === 1) continue;
      differs(findings, `the ${fact.kind} of ${nameOf(coupon)} has ${fact.rows} rows`, fact);
    }
  }
  for (const row of rows.rules) {
    const facts = books.byNumber.get(row.batch)?.shards.get(row.shard)?.rulesFacts ?? [];
    const fact = facts.find(({ number }) => number === row.number);
    if (fact !== undefined && fact.atMs === row.atMs && same(fact.rules, row.rules)) fact.rows += 1;
    else differs(findings, `rules of shard ${row.batch}.${row.shard} at entry ${row.number} are not the log's`);
  }
  for (const row of rows.transfers) {
    const { batch, shard, ...rest } = row;
    const transfers = books.byNumber.get(batch)?.shards.get(shard)?.transfers ?? [];
    const one = transfers.find(({ number }) => number === row.number);
    const { kind, peer, transfer, amount, atMs } = one ?? {};
    if (one !== undefined && same({ number: row.number, kind, peer, transfer, amount, atMs }, rest)) one.rows += 1;
    else differs(findings, `${row.kind} ${row.transfer} of shard ${batch}.${shard} is not the log's`);
  }
  for (const shard of books.shards()) {
    for (const one of [...shard.rulesFacts, ...shard.transfers]) {
      if (one.rows !== 1) differs(findings, `entry ${one.number} has ${one.rows} right rows`, one);
    }
  }
}

function compareCouponFacts<Kind extends keyof typeof expected>(
  kind: Kind,
  rows: Iterable<{ batch: number; shard: number; serial: number; number: number }>,
  books: Books,
  findings: Findings,
): void {
  for (const { batch, shard, serial, ...row } of rows) {
    const coupon = books.coupon(batch, shard, serial);
    const as = expected[kind] as (fact: Extract<Fact, { kind: Kind }>) => object;
    // One entry may release a coupon for several orders.
    const ofEntry = (coupon?.story?.facts ?? []).filter(
      (one) => one.kind === kind && one.number === row.number,
    ) as Extract<Fact, { kind: Kind }>[];
    const fact = ofEntry.find((one) => same(as(one), row)) ?? ofEntry[0];
    if (fact === undefined) {
      differs(findings, `a ${kind} of coupon ${batch}.${shard}.${serial} is in the ledger and not in the log`);
      continue;
    }
    (fact as Fact).rows += 1;
    if (!same(as(fact), row))
      differs(findings, `the ${kind} of ${nameOf(coupon as CouponBook)} is not what the log says`, fact);
  }
}

function compareHolds({ holds }: LedgerRows, books: Books, findings: Findings): void {
  const found = new Map(holds.map((row) => [`${row.batch}.${row.shard}.${row.serial}`, row]));
  for (const coupon of books.coupons()) {
    const due = coupon.story?.holdRow ?? null;
    const key = `${coupon.shard.batch.number}.${coupon.shard.shard}.${coupon.serial}`;
    if (coupon.story === null) continue;
    const row = found.get(key) ?? null;
    found.delete(key);
    if (due === null && row === null) continue;
    const { callerId, orderId, payload, untilMs, discount } = due?.item ?? {};
    const right =
      due !== null &&
      row !== null &&
      row.callerId === callerId &&
      row.orderId === orderId &&
      row.payload === payload &&
      row.untilMs === untilMs &&
      row.lockedAtMs === due.atMs &&
      same(row.discount, discount);
    if (!right) differs(findings, `the hold of ${nameOf(coupon)} is not what the log says`, due ?? coupon);
  }
  for (const key of found.keys()) differs(findings, `coupon ${key} has a hold in the ledger and none in the log`);
}
