import type { Pool } from "@coupon/database";
import { expect } from "vitest";
import { expectMoney } from "./money.ts";
import type { ShardStory } from "./shard-story.ts";

const stateNames = ["untouched", "effective", "locked", "redeemed", "deactivated"] as const;

/** What the ledger's tables say of a shard, in the words of a story. */
async function readBooks(pool: Pool, batch: number, shard: number): Promise<object> {
  const key = [batch, shard];
  const coupons = await pool.query(
    "SELECT serial, user_id, issued_at_ms, state FROM ledger.coupon WHERE batch = $1 AND shard = $2 ORDER BY serial",
    key,
  );
  const of = (table: string) => `(SELECT count(*) FROM ledger.${table} x WHERE x.batch = $1 AND x.shard = $2)`;
  const totals = await pool.query(
    `SELECT number, encode(hash, 'hex') AS hash, at_ms, issued, redemptions, reversals, deactivated, discounted,
       discount_reversed, ${of("redemption")} AS redemption, ${of("reversal")} AS reversal, ${of("release")} AS release,
       ${of("deactivation")} AS deactivation, ${of("rules_history")} AS rules_history, ${of("transfer")} AS transfer,
       (SELECT count(*) FROM ledger.hold x WHERE x.batch = $1 AND x.shard = $2) AS hold,
       (SELECT coalesce(sum(x.discount), 0)::bigint FROM ledger.redemption x WHERE x.batch = $1 AND x.shard = $2) AS money
     FROM ledger.shard WHERE batch = $1 AND shard = $2`,
    key,
  );
  return {
    ...totals.rows[0],
    rules_history: undefined,
    coupons: coupons.rows.map((row) => [row.serial, row.user_id, row.issued_at_ms, stateNames[row.state]]),
  };
}

function booksOf(story: ShardStory): object {
  const { books } = story;
  return {
    number: story.number,
    hash: story.hash,
    at_ms: expect.any(Number),
    issued: story.coupons.length,
    redemptions: books.redemptions,
    reversals: books.reversals,
    deactivated: books.deactivations,
    discounted: books.discounted,
    discount_reversed: books.reversed,
    redemption: books.redemptions,
    reversal: books.reversals,
    release: books.releases,
    deactivation: books.deactivations,
    transfer: story.transfers.debit + story.transfers.credit,
    hold: story.coupons.filter((coupon) => coupon.state === "locked").length,
    money: books.discounted,
    rules_history: undefined,
    coupons: story.coupons.map((coupon) => [coupon.serial, coupon.userId, coupon.issuedAtMs, coupon.state]),
  };
}

/** The tables hold exactly what the stories tell, nothing lost, nothing twice, and money agrees with them. */
export async function expectBooks(pool: Pool, stories: ShardStory[]): Promise<void> {
  for (const story of stories) {
    const name = `shard ${story.batch}.${story.shard}`;
    expect(await readBooks(pool, story.batch, story.shard), name).toEqual(booksOf(story));
  }
  await expectMoney(pool);
}
