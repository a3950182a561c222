import { type BatchDefinition, type Entry, parseInstant, type ShardRules, shardPart } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import { same } from "../same.ts";
import { type At, type BatchBook, type Books, placeOf, type ShardBook, type Transfer } from "./books.ts";

export function applyRules(entry: Extract<Entry, { kind: "rules" }>, at: At, findings: Findings): void {
  const { shard } = at;
  const { rules } = entry;
  const before = shard.rules;
  if (before !== null && (rules.version <= before.version || rules.buckets !== before.buckets)) {
    findings.add("rules_broken", `version ${rules.version} of the rules follows ${before.version}`, [], [placeOf(at)]);
  }
  const published = shard.batch.versions.find(({ definition }) => definition.version === rules.version)?.definition;
  if (published === undefined || !same(rules, { ...rules, ...rulesOf(published, shard.shard) })) {
    findings.add("rules_broken", `version ${rules.version} of the rules is not what was published`, [], [placeOf(at)]);
  }
  shard.left += rules.allotment - (before?.allotment ?? 0);
  shard.rules = rules;
  shard.rulesFacts.push({ ...at, atMs: entry.at, rules, rows: 0 });
}

/** What a shard of a batch is to enforce; how many user buckets it has is its own matter. */
function rulesOf(definition: BatchDefinition, shard: number): Omit<ShardRules, "buckets"> {
  const { version, state, revoked, issueWindow, stock, shards } = definition;
  return {
    version,
    state,
    revoked,
    fromMs: parseInstant(issueWindow.from) ?? 0,
    untilMs: parseInstant(issueWindow.until) ?? 0,
    allotment: shardPart(stock.total, shards, shard),
    perDay: stock.perDay === undefined ? null : shardPart(stock.perDay, shards, shard),
    perUser: stock.perUser,
    perUserPerDay: stock.perUserPerDay ?? null,
  };
}

/** Stock leaves one shard for another; that both sides agree is looked at when the whole log is read. */
export function applyTransfer(entry: Extract<Entry, { kind: "debit" | "credit" }>, at: At, findings: Findings): void {
  const { shard } = at;
  const peer = entry.kind === "debit" ? entry.target : entry.source;
  const { kind, transfer, amount } = entry;
  const last = shard.transfers.findLast((one) => one.kind === kind && one.peer === peer)?.transfer ?? 0;
  if (transfer !== last + 1) {
    findings.add("stock_moved", `${kind} ${transfer} follows ${last} of the same two shards`, [], [placeOf(at)]);
  }
  shard.transfers.push({ ...at, kind, peer, transfer, amount, atMs: entry.at, rows: 0 });
  shard.left += kind === "debit" ? -amount : amount;
  shard.totals[kind === "debit" ? "debited" : "credited"] += amount;
  if (shard.left < 0 && kind === "debit") {
    findings.add("stock_moved", `debit ${transfer} takes more than the shard has`, [], [placeOf(at)]);
  }
}

/** Every credit rests on a debit of the same amount; every batch has issued no more than its stock. */
export function checkTransfers(books: Books, findings: Findings): void {
  for (const batch of books.byNumber.values()) {
    for (const shard of batch.shards.values()) {
      for (const one of shard.transfers) if (one.kind === "credit") checkCredit(batch, shard, one, findings);
    }
    const issued = issuedOf(batch);
    const stock = Math.max(...batch.versions.map(({ definition }) => definition.stock.total));
    if (issued > stock) findings.add("oversell", `batch ${batch.number} issued ${issued} of a stock of ${stock}`);
  }
}

export function issuedOf(batch: BatchBook): number {
  let issued = 0;
  for (const shard of batch.shards.values()) issued += shard.coupons.length;
  return issued;
}

function checkCredit(batch: BatchBook, shard: ShardBook, credit: Transfer, findings: Findings): void {
  const debit = batch.shards
    .get(credit.peer)
    ?.transfers.find((one) => one.kind === "debit" && one.peer === shard.shard && one.transfer === credit.transfer);
  if (debit?.amount === credit.amount) return;
  const detail = `credit ${credit.transfer} of ${credit.amount} rests on ${debit === undefined ? "no debit" : `a debit of ${debit.amount}`}`;
  findings.add("stock_moved", detail, [], [placeOf(credit), ...(debit === undefined ? [] : [placeOf(debit)])]);
}
