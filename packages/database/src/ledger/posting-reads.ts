import type { PostingAccount, PostingEvent } from "@coupon/domain";
import type { Queryable } from "../pool.ts";
import type { BatchTerms } from "./posting-rows.ts";

/** The terms of every batch that has lines. */
export async function readBatchTerms(db: Queryable): Promise<BatchTerms[]> {
  const { rows } = await db.query<BatchTerms>(
    `SELECT batch, batch_id AS "batchId", campaign_id AS "campaignId", currency,
       greatest_discount AS "greatestDiscount", funding, validity, time_zone AS "timeZone" FROM ledger.batch_terms`,
  );
  return rows;
}

export interface PostingFilter {
  batchId?: string | undefined;
  campaignId?: string | undefined;
  account?: string | undefined;
  party?: string | undefined;
  fromMs?: number | undefined;
  untilMs?: number | undefined;
}

/** A place in the journal, whose newest line comes first. */
export interface PostingPlace {
  atMs: number;
  postingId: number;
}

export interface StoredPosting extends PostingPlace {
  batchId: string;
  campaignId: string;
  currency: string;
  shard: number;
  number: number;
  event: PostingEvent;
  account: PostingAccount;
  party: string;
  amount: number;
  coupons: number;
}

/** Lines of the journal, the newest first, from the one after `after` on. */
export async function readPostings(
  db: Queryable,
  filter: PostingFilter,
  after: PostingPlace | null,
  limit: number,
): Promise<StoredPosting[]> {
  const where = new Conditions();
  where.add("t.batch_id = ?", filter.batchId).add("t.campaign_id = ?", filter.campaignId);
  where.add("p.account = ?", filter.account).add("p.party = ?", filter.party);
  where.add("p.at_ms >= ?", filter.fromMs).add("p.at_ms < ?", filter.untilMs);
  where.add("(p.at_ms, p.posting_id) < (?, ?)", after?.atMs, after?.postingId);
  const { rows } = await db.query<StoredPosting>(
    `SELECT p.posting_id AS "postingId", p.at_ms AS "atMs", t.batch_id AS "batchId", t.campaign_id AS "campaignId",
       t.currency, p.shard, p.number, p.event, p.account, p.party, p.amount, p.coupons
     FROM ledger.posting p JOIN ledger.batch_terms t ON t.batch = p.batch ${where.text}
     ORDER BY p.at_ms DESC, p.posting_id DESC LIMIT ${where.value(limit)}`,
    where.values,
  );
  return rows;
}

/** What events have come to on an account. Sums are decimal text, for they may be beyond what a number holds. */
export interface SettlementSum {
  campaignId: string;
  /** Null where the sum is of all batches of the campaign. */
  batchId: string | null;
  party: string;
  currency: string;
  event: PostingEvent;
  account: PostingAccount;
  amount: string;
  coupons: string;
}

export interface SettlementAsk {
  by: "batch" | "campaign";
  filter: Omit<PostingFilter, "account">;
  /** Only groups that come after it. */
  after: { group: string; party: string; currency: string } | null;
  /** Groups at most. */
  limit: number;
}

/**
 * Sums of whole groups (a batch or campaign, a party, a currency), in their order. Without a period they come from
 * the balances; with one, the lines of the period are added up.
 */
export async function readSettlements(db: Queryable, ask: SettlementAsk): Promise<SettlementSum[]> {
  const { by, filter, after, limit } = ask;
  const group = by === "batch" ? "t.batch_id" : "t.campaign_id";
  const where = scopeOf(filter);
  where.add(`(${group}, p.party, t.currency) > (?, ?, ?)`, after?.group, after?.party, after?.currency);
  const { rows } = await db.query<SettlementSum>(
    `WITH scope AS (
       SELECT ${group} AS "group", min(t.campaign_id) AS "campaignId",
         ${by === "batch" ? "min(t.batch_id)" : "NULL"} AS "batchId", p.party, t.currency, p.event, p.account,
         sum(p.amount)::text AS amount, sum(p.coupons)::text AS coupons
       FROM ${sourceOf(filter)} p JOIN ledger.batch_terms t ON t.batch = p.batch ${where.text}
       GROUP BY ${group}, p.party, t.currency, p.event, p.account
     ), page AS (SELECT DISTINCT "group", party, currency FROM scope ORDER BY 1, 2, 3 LIMIT ${where.value(limit)})
     SELECT s."campaignId", s."batchId", s.party, s.currency, s.event, s.account, s.amount, s.coupons
     FROM scope s JOIN page USING ("group", party, currency) ORDER BY s."group", s.party, s.currency, s.account, s.event`,
    where.values,
  );
  return rows;
}

/** Debits and credits of one currency, both without a sign, as decimal text. */
export interface TrialBalance {
  currency: string;
  debit: string;
  credit: string;
}

/** The trial balance of everything in scope, of one moment. */
export async function readTrialBalance(db: Queryable, filter: SettlementAsk["filter"] = {}): Promise<TrialBalance[]> {
  const where = scopeOf(filter);
  const { rows } = await db.query<TrialBalance>(
    `SELECT currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::text AS debit,
       coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::text AS credit
     FROM (
       SELECT t.currency, p.account, p.party, sum(p.amount) AS amount
       FROM ${sourceOf(filter)} p JOIN ledger.batch_terms t ON t.batch = p.batch ${where.text} GROUP BY 1, 2, 3
     ) accounts GROUP BY currency ORDER BY currency`,
    where.values,
  );
  return rows;
}

const sourceOf = ({ fromMs, untilMs }: PostingFilter): string =>
  fromMs === undefined && untilMs === undefined ? "ledger.account_balance" : "ledger.posting";

function scopeOf(filter: PostingFilter): Conditions {
  const where = new Conditions();
  where.add("t.batch_id = ?", filter.batchId).add("t.campaign_id = ?", filter.campaignId);
  where.add("p.party = ?", filter.party);
  return where.add("p.at_ms >= ?", filter.fromMs).add("p.at_ms < ?", filter.untilMs);
}

/** Conditions that are there only where their values are. */
class Conditions {
  readonly values: unknown[] = [];
  readonly #texts: string[] = [];

  get text(): string {
    return this.#texts.length === 0 ? "" : `WHERE ${this.#texts.join(" AND ")}`;
  }

  add(text: string, ...values: unknown[]): this {
    if (values.some((value) => value === undefined)) return this;
    let at = 0;
    this.#texts.push(text.replaceAll("?", () => this.value(values[at++])));
    return this;
  }

  value(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}
