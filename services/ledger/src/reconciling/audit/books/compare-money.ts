import type { MoneyFacts, ShardMoney } from "@coupon/database";
import type { PostingTerms } from "../../../posting/terms.ts";
import type { ReportBooks } from "./books-finding.ts";
import type { EntryMoney } from "./entry-money.ts";
import { balanceKey, type JournalCheck } from "./journal-check.ts";

/** What a shard's coupons say that its books must come to. */
export interface MoneyTold {
  outstanding: number;
  killed: number;
  overCost: number;
  /** By party. */
  cost: readonly number[];
  /** Null where the log does not tell. */
  revoked: boolean | null;
}

/** As the rows of coupons and facts have it, where the log is younger than they are. */
export function toldByRows(facts: MoneyFacts, terms: PostingTerms): MoneyTold {
  const cost = terms.parties.map(() => 0);
  for (const each of facts.costs) {
    for (const [party, part] of terms.split(each.cost).entries()) {
      cost[party] = (cost[party] as number) + part * each.redemptions;
    }
  }
  return { ...facts, cost, revoked: null };
}

/**
 * Compares what a shard's books have come to: the balances with the journal, and both with the coupons. To be called
 * when all of the journal has been taken.
 *
 * @returns whether the journal, set right, comes to what the coupons say: only then is it known what balances must be
 */
export function compareTotals(
  check: JournalCheck,
  told: MoneyTold,
  { books, terms }: { books: ShardMoney; terms: PostingTerms },
  report: ReportBooks,
): boolean {
  const agrees = compareAccounts(check, told, terms, report);
  compareBalances(check, books, report);
  compareShardBooks(told, books, report);
  return agrees;
}

/** The journal against the coupons: what is out at each party's part of the greatest discount, and what it has cost. */
function compareAccounts(check: JournalCheck, told: MoneyTold, terms: PostingTerms, report: ReportBooks): boolean {
  const sums = new Map<string, number>();
  for (const { account, party, amount } of check.sums.values()) {
    sums.set(`${account} ${party}`, (sums.get(`${account} ${party}`) ?? 0) + amount);
  }
  let agrees = true;
  for (const [index, party] of terms.parties.entries()) {
    const out = told.outstanding * (terms.greatestParts[index] as number);
    const cost = told.cost[index] as number;
    // The other side of each is the same: every event was made to balance.
    for (const [account, expected] of [
      ["liability", out],
      ["payable", cost],
    ] as const) {
      const found = 0 - (sums.get(`${account} ${party}`) ?? 0);
      if (found === expected) continue;
      agrees = false;
      const what = account === "liability" ? { coupons: told.outstanding } : {};
      report({
        kind: "books",
        serial: null,
        expected: { account, party, owed: expected, ...what },
        found: { owed: found },
      });
    }
  }
  return agrees;
}

function compareBalances(check: JournalCheck, { balances }: ShardMoney, report: ReportBooks): void {
  const found = new Map(balances.map((each) => [balanceKey(each), each]));
  for (const key of new Set([...check.sums.keys(), ...found.keys()])) {
    const [must, has] = [check.sums.get(key) ?? null, found.get(key) ?? null];
    if ((must?.amount ?? 0) === (has?.amount ?? 0) && (must?.coupons ?? 0) === (has?.coupons ?? 0)) continue;
    report({ kind: "balance", serial: null, expected: must, found: has });
  }
}

function compareShardBooks(told: MoneyTold, books: ShardMoney, report: ReportBooks): void {
  for (const counter of ["killed", "overCost", "revoked"] as const) {
    const [expected, found] = [told[counter], books[counter]];
    if (expected === null || expected === found) continue;
    report({ kind: "books", serial: null, expected: { [counter]: expected }, found: { [counter]: found } });
  }
  // It has lines, so they were opened.
  if (!books.opened) report({ kind: "books", serial: null, expected: { opened: true }, found: { opened: false } });
  for (const serial of books.deferredInVain) {
    report({ kind: "books", serial, expected: { deferred: false }, found: { deferred: true } });
  }
  for (const serial of books.notDeferred) {
    report({ kind: "books", serial, expected: { deferred: true }, found: { deferred: false } });
  }
}

/** A shard's rows of transfers against its entries; those older than the log stand. */
export function compareTransfers(money: EntryMoney, { transfers }: ShardMoney, report: ReportBooks): void {
  const found = Map.groupBy(transfers, ({ number }) => number);
  for (const number of new Set([...money.transfers.keys(), ...found.keys()])) {
    if (number < money.toldFrom) continue;
    const [must, has] = [money.transfers.get(number) ?? null, found.get(number)?.[0] ?? null];
    if (canonical(must) !== canonical(has)) report({ kind: "transfer", serial: null, expected: must, found: has });
  }
}

/** A text that does not depend on the order of members. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each) =>
    each !== null && typeof each === "object" && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  );
}
