import type { LoggedRequest } from "./logged-request.ts";

/** A coupon as PostgreSQL has it. */
export interface IssuedRow {
  couponId: string;
  userId: string;
}

/** A redemption as PostgreSQL has it. */
export interface RedeemedRow {
  couponId: string;
  userId: string;
  orderId: string;
}

/** How many the batch that was loaded may issue. */
export interface StockLimit {
  total: number;
  perUser: number;
}

/**
 * What a load run comes to, each figure counted in requests or coupons:
 * - `lost`: acknowledged but not in PostgreSQL, or there with another user or order;
 * - `phantom`: in PostgreSQL but never asked for, or asked for and each time definitely refused;
 * - `duplicate`: one key with two coupons, one coupon for two keys, a row that is there twice, a coupon redeemed twice;
 * - `oversold`: issued beyond the batch's stock or a user's limit.
 */
export interface Verdict {
  requests: number;
  acknowledged: number;
  /** Requests whose outcome never became known; their effect may be in PostgreSQL or not. */
  unknown: number;
  lost: number;
  phantom: number;
  duplicate: number;
  oversold: number;
  /** The first few findings, in words. */
  findings: string[];
}

const maxFindings = 20;

/**
 * Compares what a load run was told with what PostgreSQL has. Both must be complete.
 *
 * This is not the history checker (`@coupon/history`): k6 logs one short line a request, without bodies, positions
 * and times, and the stack that it loads has a log and batches from before. What can be decided by that is decided here.
 */
export function judge(
  requests: readonly LoggedRequest[],
  issued: readonly IssuedRow[],
  redeemed: readonly RedeemedRow[],
  stock: StockLimit,
): Verdict {
  const tally = new Tally(requests);
  judgeClaims(tally, attemptsOf(requests, "claim"), issued);
  judgeRedemptions(tally, attemptsOf(requests, "redeem"), redeemed);
  judgeStock(tally, issued, stock);
  return tally.verdict;
}

/** Whether nothing was found. */
export function isClean(verdict: Verdict): boolean {
  return verdict.lost + verdict.phantom + verdict.duplicate + verdict.oversold === 0;
}

/** All attempts under one key: requests that name the same outcome. */
interface Attempts {
  key: string;
  userId: string;
  /** Coupons that were acknowledged; more than one is a duplicate. */
  coupons: Set<string>;
  acknowledged: boolean;
  unknown: boolean;
}

class Tally {
  readonly verdict: Verdict;

  constructor(requests: readonly LoggedRequest[]) {
    this.verdict = {
      requests: requests.length,
      acknowledged: requests.filter((it) => it.outcome === "success").length,
      unknown: requests.filter((it) => it.outcome === "unknown").length,
      lost: 0,
      phantom: 0,
      duplicate: 0,
      oversold: 0,
      findings: [],
    };
  }

  add(kind: "lost" | "phantom" | "duplicate" | "oversold", count: number, finding: string): void {
    if (count <= 0) return;
    this.verdict[kind] += count;
    if (this.verdict.findings.length < maxFindings) this.verdict.findings.push(`${kind}: ${finding}`);
  }
}

function attemptsOf(requests: readonly LoggedRequest[], operation: LoggedRequest["operation"]): Attempts[] {
  const byKey = new Map<string, Attempts>();
  for (const request of requests) {
    if (request.operation !== operation) continue;
    const { key, userId, couponId, outcome } = request;
    // A claim's key is scoped to the user; an order names one user's redemption.
    const scoped = `${userId} ${key}`;
    const attempts = byKey.get(scoped) ?? {
      key,
      userId,
      coupons: new Set<string>(),
      acknowledged: false,
      unknown: false,
    };
    byKey.set(scoped, attempts);
    if (outcome === "success") {
      attempts.acknowledged = true;
      attempts.coupons.add(couponId);
    }
    if (outcome === "unknown") {
      attempts.unknown = true;
      if (operation === "redeem") attempts.coupons.add(couponId);
    }
  }
  return [...byKey.values()];
}

function judgeClaims(tally: Tally, attempts: Attempts[], issued: readonly IssuedRow[]): void {
  const rows = new Map<string, string>();
  for (const row of issued) {
    tally.add("duplicate", rows.has(row.couponId) ? 1 : 0, `coupon ${row.couponId} has two rows`);
    rows.set(row.couponId, row.userId);
  }
  const keyOf = new Map<string, string>();
  const unknownKeys = new Map<string, number>();
  for (const { key, userId, coupons, acknowledged, unknown } of attempts) {
    tally.add("duplicate", coupons.size - 1, `claim ${key} of ${userId} was answered with ${coupons.size} coupons`);
    for (const couponId of coupons) {
      const other = keyOf.get(couponId);
      tally.add("duplicate", other === undefined ? 0 : 1, `coupon ${couponId} was answered to ${other} and to ${key}`);
      keyOf.set(couponId, key);
      const missing = rows.get(couponId) !== userId;
      tally.add("lost", missing ? 1 : 0, `coupon ${couponId} of claim ${key} by ${userId} is not in PostgreSQL`);
    }
    if (unknown && !acknowledged) unknownKeys.set(userId, (unknownKeys.get(userId) ?? 0) + 1);
  }
  for (const [couponId, userId] of rows) {
    if (keyOf.has(couponId)) continue;
    // A row that nobody was told of is explained by one claim of that user whose outcome is unknown.
    const left = unknownKeys.get(userId) ?? 0;
    unknownKeys.set(userId, left - 1);
    tally.add("phantom", left > 0 ? 0 : 1, `coupon ${couponId} of ${userId} was never asked for, or refused`);
  }
}

function judgeRedemptions(tally: Tally, attempts: Attempts[], redeemed: readonly RedeemedRow[]): void {
  const rows = new Set<string>();
  const orderOf = new Map<string, string>();
  for (const { couponId, userId, orderId } of redeemed) {
    const other = orderOf.get(couponId);
    tally.add("duplicate", other === undefined ? 0 : 1, `coupon ${couponId} is redeemed by ${other} and by ${orderId}`);
    orderOf.set(couponId, orderId);
    rows.add(`${couponId} ${userId} ${orderId}`);
  }
  for (const { key, userId, coupons, acknowledged } of attempts) {
    for (const couponId of coupons) {
      const there = rows.delete(`${couponId} ${userId} ${key}`);
      tally.add("lost", acknowledged && !there ? 1 : 0, `redemption ${key} of coupon ${couponId} is not in PostgreSQL`);
    }
  }
  for (const row of rows) tally.add("phantom", 1, `redemption ${row} was never asked for, or refused`);
}

function judgeStock(tally: Tally, issued: readonly IssuedRow[], stock: StockLimit): void {
  tally.add("oversold", issued.length - stock.total, `${issued.length} coupons of a stock of ${stock.total}`);
  const perUser = new Map<string, number>();
  for (const { userId } of issued) perUser.set(userId, (perUser.get(userId) ?? 0) + 1);
  for (const [userId, count] of perUser) {
    tally.add("oversold", count - stock.perUser, `${userId} has ${count} coupons of ${stock.perUser}`);
  }
}
