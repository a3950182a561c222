import type { PostingAccount, PostingEvent } from "@coupon/domain";
import type { Queryable } from "../../pool.ts";
import type { BatchTerms } from "../posting-rows.ts";
import { copyLines, type Streaming, unescaped } from "./copy-lines.ts";

/** A line of a shard's journal as the audit reads it. */
export interface JournalLine {
  postingId: number;
  number: number;
  event: PostingEvent;
  account: PostingAccount;
  party: string;
  amount: number;
  coupons: number;
  atMs: number;
  /** Whether a correction has posted it. */
  corrected: boolean;
}

/** Lines of the entries `from` to `to`, both included. */
export interface JournalRange {
  batch: number;
  shard: number;
  from: number;
  to: number;
}

export interface AccountBalance {
  event: PostingEvent;
  account: PostingAccount;
  party: string;
  amount: number;
  coupons: number;
}

/** A row of `ledger.transfer`. */
export interface StoredTransfer {
  number: number;
  kind: "debit" | "credit";
  peer: number;
  transfer: number;
  amount: number;
  atMs: number;
}

/** What there is of a shard's books but its journal. */
export interface ShardMoney {
  swept: number;
  overCost: number;
  killed: number;
  revoked: boolean;
  opened: boolean;
  balances: AccountBalance[];
  /** What the lines of the journal add up to, one by one. */
  journal: AccountBalance[];
  /** Opening lines by the entry that they name, and how many of each are on the debited and the credited accounts. */
  openings: { number: number; debited: number; credited: number }[];
  transfers: StoredTransfer[];
  /** Coupons that were swept and put off. */
  deferred: number[];
  /** Of these, such as nothing can keep: never swept, dead, redeemed, or of a shard that was revoked. */
  deferredInVain: number[];
  /** Swept coupons that a hold still keeps, and that are not put off. */
  notDeferred: number[];
  terms: BatchTerms | null;
}

/** Streams a shard's lines in the order of their entries. */
export function streamJournal(
  streaming: Streaming,
  { batch, shard, from, to }: JournalRange,
  onLine: (line: JournalLine) => void,
): Promise<void> {
  for (const each of [batch, shard, from, to]) {
    if (!Number.isSafeInteger(each)) throw new RangeError("a range is of whole numbers");
  }
  const query = `SELECT p.posting_id, p.number, p.event, p.account, p.party, p.amount, p.coupons, p.at_ms,
      c.posting_id IS NOT NULL
    FROM ledger.posting p LEFT JOIN ledger.posting_correction c
      ON c.batch = p.batch AND c.shard = p.shard AND c.posting_id = p.posting_id
    WHERE p.batch = ${batch} AND p.shard = ${shard} AND p.number BETWEEN ${from} AND ${to}
    ORDER BY p.number, p.posting_id`;
  return copyLines(streaming, query, (line) => {
    const [postingId, number, event = "", account = "", party = "", amount, coupons, atMs, corrected] =
      line.split("\t");
    onLine({
      ...{ postingId: Number(postingId), number: Number(number), party: unescaped(party) },
      ...{ event: unescaped(event) as PostingEvent, account: unescaped(account) as PostingAccount },
      ...{ amount: Number(amount), coupons: Number(coupons), atMs: Number(atMs), corrected: corrected === "t" },
    });
  });
}

const ofShard = "batch = $1 AND shard = $2";
const asRows = (columns: string, table: string) =>
  `(SELECT coalesce(json_agg(r), '[]') FROM (SELECT ${columns} FROM ledger.${table} WHERE ${ofShard}) r)`;
const heldOf = `FROM ledger.hold h JOIN ledger.coupon c USING (batch, shard, serial)
  WHERE h.batch = $1 AND h.shard = $2 AND h.serial < b.swept AND c.state = 2 AND NOT b.revoked
    AND h.until_ms > b.swept_until_ms AND NOT EXISTS (SELECT FROM ledger.deferred_expiry d
      WHERE d.batch = $1 AND d.shard = $2 AND d.serial = h.serial)`;
const inVain = `FROM ledger.deferred_expiry d LEFT JOIN ledger.coupon c USING (batch, shard, serial)
  WHERE d.batch = $1 AND d.shard = $2 AND (d.serial >= b.swept OR b.revoked OR coalesce(c.state, 4) IN (3, 4))`;

/**
 * Reads a shard's books: all but the sums of its journal in one statement, so that these are of one moment. Nothing that the
 * shard's row is held for can change meanwhile, nor what a snapshot shows.
 */
export async function readShardMoney(db: Queryable, batch: number, shard: number): Promise<ShardMoney> {
  const { rows } = await db.query<Omit<ShardMoney, keyof JournalSums>>({
    name: "ledger-shard-money",
    text: `SELECT b.swept, b.over_cost AS "overCost", b.killed, b.revoked, b.opened,
        ${asRows("event, account, party, amount, coupons", "account_balance")} AS balances,
        ${asRows('number, kind, peer, transfer, amount, at_ms AS "atMs"', "transfer")} AS transfers,
        ARRAY(SELECT serial FROM ledger.deferred_expiry WHERE ${ofShard}) AS deferred,
        ARRAY(SELECT d.serial ${inVain}) AS "deferredInVain",
        ARRAY(SELECT h.serial ${heldOf}) AS "notDeferred",
        (SELECT to_json(t) FROM (SELECT batch, batch_id AS "batchId", campaign_id AS "campaignId", currency,
          greatest_discount AS "greatestDiscount", funding, validity, time_zone AS "timeZone"
          FROM ledger.batch_terms WHERE batch = $1) t) AS terms
      FROM (SELECT coalesce(min(swept), 0) AS swept, coalesce(min(swept_until_ms), 0)::bigint AS swept_until_ms,
          coalesce(min(over_cost), 0)::bigint AS over_cost, coalesce(min(killed), 0) AS killed,
          coalesce(bool_or(revoked), false) AS revoked, coalesce(bool_and(opened), true) AS opened
        FROM ledger.shard_books WHERE ${ofShard}) b`,
    values: [batch, shard],
  });
  return { ...(rows[0] as Omit<ShardMoney, keyof JournalSums>), ...(await sumJournal(db, batch, shard)) };
}

type Place = [number: number, postingId: number];
type JournalSums = Pick<ShardMoney, "journal" | "openings">;
type SumStep = JournalSums & { last: Place | null };

/** Lines that one statement adds up: a shard may have tens of millions. */
const LINES_A_STEP = 20_000;

async function sumJournal(db: Queryable, batch: number, shard: number): Promise<JournalSums> {
  const sums = new Map<string, AccountBalance>();
  const openings = new Map<number, ShardMoney["openings"][number]>();
  let after: Place | null = [Number.MIN_SAFE_INTEGER, 0];
  while (after !== null) {
    const { rows }: { rows: SumStep[] } = await db.query({
      name: "ledger-journal-sums",
      text: SUM_STEP,
      values: [batch, shard, ...after, LINES_A_STEP],
    });
    const [step]: SumStep[] = rows;
    for (const { amount, coupons, ...of } of step?.journal ?? []) {
      const key = `${of.event} ${of.account} ${of.party}`;
      const sum = sums.get(key) ?? { ...of, amount: 0, coupons: 0 };
      sums.set(key, { ...of, amount: sum.amount + amount, coupons: sum.coupons + coupons });
    }
    for (const { number, debited, credited } of step?.openings ?? []) {
      const sum = openings.get(number) ?? { number, debited: 0, credited: 0 };
      openings.set(number, { number, debited: sum.debited + debited, credited: sum.credited + credited });
    }
    after = step?.last ?? null;
  }
  return { journal: [...sums.values()], openings: [...openings.values()] };
}

const SUM_STEP = `WITH step AS MATERIALIZED (
    SELECT number, posting_id, event, account, party, amount, coupons FROM ledger.posting
    WHERE ${ofShard} AND (number, posting_id) > ($3::bigint, $4::bigint) ORDER BY number, posting_id LIMIT $5
  ) SELECT
    (SELECT coalesce(json_agg(j), '[]') FROM (SELECT event, account, party, sum(amount) AS amount,
      sum(coupons) AS coupons FROM step GROUP BY 1, 2, 3) j) AS journal,
    (SELECT coalesce(json_agg(o), '[]') FROM (SELECT number,
      count(*) FILTER (WHERE account IN ('commitment', 'cost')) AS debited,
      count(*) FILTER (WHERE account IN ('liability', 'payable')) AS credited
      FROM step WHERE event = 'open' GROUP BY 1) o) AS openings,
    (SELECT json_build_array(number, posting_id) FROM step ORDER BY number DESC, posting_id DESC LIMIT 1) AS last`;

/** What a shard's rows of coupons and facts say that its books must come to. */
export interface MoneyFacts {
  /** Coupons that may be redeemed: neither swept nor dead, or put off. */
  outstanding: number;
  killed: number;
  overCost: number;
  /** What is left of redemptions: so many that have cost so much. */
  costs: { cost: number; redemptions: number }[];
}

/** Of a shard whose log does not tell all of its history. */
export async function readMoneyFacts(
  db: Queryable,
  batch: number,
  shard: number,
  { swept, revoked }: Pick<ShardMoney, "swept" | "revoked">,
): Promise<MoneyFacts> {
  const { rows } = await db.query<MoneyFacts>({
    name: "ledger-money-facts",
    text: `WITH cost AS MATERIALIZED (
        SELECT serial, sum(cost)::bigint AS cost FROM (
          SELECT serial, order_id, caller_id, discount AS cost FROM ledger.redemption WHERE ${ofShard}
          UNION ALL SELECT serial, order_id, caller_id, -discount FROM ledger.reversal WHERE ${ofShard}
        ) f GROUP BY serial, order_id, caller_id
      )
      SELECT
        (SELECT count(*) FROM ledger.coupon c WHERE ${ofShard} AND state IN (0, 1, 2) AND NOT $4 AND (serial >= $3
          OR EXISTS (SELECT FROM ledger.deferred_expiry d
            WHERE d.batch = $1 AND d.shard = $2 AND d.serial = c.serial))) AS outstanding,
        (SELECT count(*) FROM ledger.coupon WHERE ${ofShard} AND state = 4 AND serial >= $3) AS killed,
        (SELECT coalesce(sum(cost), 0)::bigint FROM cost WHERE serial < $3) AS "overCost",
        (SELECT coalesce(json_agg(g), '[]') FROM (
          SELECT cost, count(*) AS redemptions FROM cost WHERE cost <> 0 GROUP BY cost) g) AS costs`,
    values: [batch, shard, swept, revoked],
  });
  return rows[0] as MoneyFacts;
}

/** Where a shard's books are read. */
export interface BooksSource {
  /** What there is of them but the journal. */
  money(batch: number, shard: number): Promise<ShardMoney>;
  /** What its rows of coupons and facts say that the books must come to. */
  moneyFacts(batch: number, shard: number, books: Pick<ShardMoney, "swept" | "revoked">): Promise<MoneyFacts>;
  /** Streams lines of the journal, by the entries that brought them. */
  journal(range: JournalRange, onLine: (line: JournalLine) => void): Promise<void>;
}

export function booksSourceOf(streaming: Streaming): BooksSource {
  const { connection } = streaming;
  return {
    money: (batch, shard) => readShardMoney(connection, batch, shard),
    moneyFacts: (batch, shard, books) => readMoneyFacts(connection, batch, shard, books),
    journal: (range, onLine) => streamJournal(streaming, range, onLine),
  };
}
