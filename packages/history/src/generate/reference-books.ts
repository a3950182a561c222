import {
  countMessage,
  type Entry,
  FundingSplit,
  greatestDiscount,
  newPartitionCount,
  toCountable,
} from "@coupon/domain";
import type { BatchTerms, LogEntry } from "../history.ts";
import type { BalanceRow, BookRows, PostingRow } from "../ledger/ledger-rows.ts";

/** The books that a ledger without a fault keeps of a log in which nothing has expired. */
export function referenceBooks(log: Iterable<LogEntry>, batches: readonly BatchTerms[]): BookRows {
  const definitions = new Map(
    batches.flatMap(({ versions }) => versions.map(({ definition }) => [definition.batchNumber, definition] as const)),
  );
  const counts = new Map<number, ReturnType<typeof newPartitionCount>>();
  const postings: PostingRow[] = [];
  for (const message of log) {
    const { partition, batch, shard, number, text } = message;
    const count = counts.get(partition) ?? newPartitionCount();
    counts.set(partition, count);
    const definition = definitions.get(batch);
    if (countMessage(count, toCountable(message)) !== "counts" || definition === undefined) continue;
    const split = new FundingSplit(definition.funding.map(({ basisPoints }) => basisPoints));
    for (const [event, accounts, parts, coupons] of movesOf(JSON.parse(text) as Entry, split, definition.template)) {
      for (const [index, { party }] of definition.funding.entries()) {
        const amount = parts[index] as number;
        if (amount === 0) continue;
        const line = { batch, shard, number, event, party, coupons };
        postings.push({ ...line, account: accounts[0], amount }, { ...line, account: accounts[1], amount: -amount });
      }
    }
  }
  return { postings, balances: balancesOf(postings), shards: [], deferred: [] };
}

type Move = [event: string, accounts: [debit: string, credit: string], parts: number[], coupons: number];

function movesOf(entry: Entry, split: FundingSplit, template: Parameters<typeof greatestDiscount>[0]): Move[] {
  const greatest = split.split(greatestDiscount(template));
  const sum = (list: number[][]) =>
    greatest.map((_, index) => list.reduce((all, parts) => all + (parts[index] ?? 0), 0));
  const out = (event: string, count: number): Move[] =>
    count === 0 ? [] : [[event, ["commitment", "liability"], greatest.map((part) => part * count), Math.abs(count)]];
  const cost = (event: string, list: number[][]): Move => [event, ["cost", "payable"], sum(list), list.length];
  switch (entry.kind) {
    case "issue":
      return out("issue", entry.items.length);
    case "redeem":
      return [
        ...out("redeem", -entry.items.length),
        cost(
          "redeem",
          entry.items.map(({ discount }) => split.split(discount.discount)),
        ),
      ];
    case "reverse": {
      const back = entry.items.map(({ remaining, reversed }) => {
        const before = split.split(remaining + reversed.discount);
        return split.split(remaining).map((part, index) => part - (before[index] as number));
      });
      return [cost("reverse", back), ...out("reverse", entry.items.filter(({ restored }) => restored).length)];
    }
    case "deactivate":
      return out("deactivate", -entry.items.length);
    default:
      return [];
  }
}

function balancesOf(postings: readonly PostingRow[]): BalanceRow[] {
  const balances = new Map<string, BalanceRow>();
  for (const { number: _, ...line } of postings) {
    const key = `${line.batch}.${line.shard} ${line.event} ${line.account} ${line.party}`;
    const balance = balances.get(key);
    if (balance === undefined) balances.set(key, line);
    else {
      balance.amount += line.amount;
      balance.coupons += line.coupons;
    }
  }
  return [...balances.values()];
}
