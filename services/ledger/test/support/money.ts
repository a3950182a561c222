import { setImmediate } from "node:timers/promises";
import { type BatchTerms, type Pool, readBatchTerms } from "@coupon/database";
import { FundingSplit } from "@coupon/domain";
import { expect } from "vitest";

interface Fact {
  batch: number;
  shard: number;
  amount: number;
}

interface Balance extends Fact {
  account: string;
  party: string;
}

const keyOf = ({ batch, shard, account, party }: Omit<Balance, "amount">) => `${batch}.${shard} ${account} ${party}`;

/** Balances by shard, account and party, as the journal has them; those of 0 are left out. */
export async function balancesOf(pool: Pool, table: "posting" | "account_balance"): Promise<Record<string, number>> {
  const { rows } = await pool.query<Balance>(
    `SELECT batch, shard, account, party, sum(amount)::bigint AS amount FROM ledger.${table}
     GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0`,
  );
  return Object.fromEntries(rows.map((row) => [keyOf(row), row.amount]));
}

/** What the balances have to be, worked out from the coupons and facts by the plainest means. */
async function expectedOf(pool: Pool, terms: BatchTerms[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const add = ({ batch, shard, amount }: Fact, coupons: number, debit: string, credit: string) => {
    const each = terms.find((one) => one.batch === batch) as BatchTerms;
    const parts = new FundingSplit(each.funding.map(({ basisPoints }) => basisPoints)).split(amount);
    for (const [index, { party }] of each.funding.entries()) {
      const part = (parts[index] ?? 0) * coupons;
      for (const [account, sign] of [[debit, 1] as const, [credit, -1] as const]) {
        const key = keyOf({ batch, shard, account, party });
        sums[key] = (sums[key] ?? 0) + sign * part;
      }
    }
  };
  const out = await pool.query<{ batch: number; shard: number; coupons: number }>(
    `SELECT c.batch, c.shard, count(*) AS coupons FROM ledger.coupon c
     LEFT JOIN ledger.shard_books b ON b.batch = c.batch AND b.shard = c.shard
     WHERE c.state IN (0, 1, 2) AND NOT coalesce(b.revoked, false) AND (c.serial >= coalesce(b.swept, 0)
       OR EXISTS (SELECT FROM ledger.deferred_expiry d WHERE (d.batch, d.shard, d.serial) = (c.batch, c.shard, c.serial)))
     GROUP BY 1, 2`,
  );
  for (const { batch, shard, coupons } of out.rows) {
    const amount = terms.find((one) => one.batch === batch)?.greatestDiscount ?? 0;
    add({ batch, shard, amount }, coupons, "commitment", "liability");
  }
  const left = await pool.query<Fact>(
    `SELECT r.batch, r.shard, r.discount - coalesce((SELECT sum(v.discount) FROM ledger.reversal v
       WHERE (v.batch, v.shard, v.serial, v.order_id) = (r.batch, r.shard, r.serial, r.order_id)), 0)::bigint AS amount
     FROM ledger.redemption r`,
  );
  for (const fact of left.rows) add(fact, 1, "cost", "payable");
  return Object.fromEntries(Object.entries(sums).filter(([, amount]) => amount !== 0));
}

/** The journal balances event by event, the balances are its sums, and both are what coupons and facts say. */
export async function expectMoney(pool: Pool): Promise<void> {
  const { rows: unbalanced } = await pool.query(
    `SELECT batch, shard, number, event, sum(amount) FROM ledger.posting
     GROUP BY 1, 2, 3, 4, at_ms HAVING sum(amount) <> 0`,
  );
  expect(unbalanced).toEqual([]);
  const journal = await balancesOf(pool, "posting");
  expect(await balancesOf(pool, "account_balance")).toEqual(journal);
  expect(journal).toEqual(await expectedOf(pool, await readBatchTerms(pool)));
}

/** Looks at the trial balance again and again until it is stopped, and tells at how many cuts it was not 0. */
export function watchBalance(pool: Pool): { stop(): Promise<{ cuts: number; amounts: number[]; wrong: unknown[] }> } {
  let stopped = false;
  const seen = { cuts: 0, amounts: [] as number[], wrong: [] as unknown[] };
  const watching = (async () => {
    while (!stopped) {
      const { rows } = await pool.query<{ journal: number; balances: number; debits: number; kept: number }>(
        `SELECT (SELECT coalesce(sum(amount), 0)::bigint FROM ledger.posting) AS journal,
           (SELECT coalesce(sum(amount), 0)::bigint FROM ledger.account_balance) AS balances,
           (SELECT coalesce(sum(amount) FILTER (WHERE account = 'commitment'), 0)::bigint FROM ledger.posting) AS debits,
           (SELECT coalesce(sum(amount) FILTER (WHERE account = 'commitment'), 0)::bigint
             FROM ledger.account_balance) AS kept`,
      );
      const [cut] = rows;
      seen.cuts += 1;
      if (cut !== undefined && seen.amounts.at(-1) !== cut.debits) seen.amounts.push(cut.debits);
      if (cut?.journal !== 0 || cut.balances !== 0 || cut.debits !== cut.kept) seen.wrong.push(cut);
      await setImmediate();
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return seen;
    },
  };
}
