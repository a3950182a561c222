import { hash } from "node:crypto";
import { countMessage, type Entry, newPartitionCount, partitionOf, shardKey, toCountable } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { History, LogEntry } from "../history.ts";
import { type At, type Books, placeOf, ShardBook } from "./books.ts";
import { applyItems } from "./coupon-facts.ts";
import { applyIssue } from "./issues.ts";
import { applyRules, applyTransfer, checkTransfers } from "./stock.ts";

/** Walks the whole log by the counting rule and fills the books with what counts. */
export function readLog({ log, partitions }: History, books: Books, findings: Findings): void {
  const counts = new Map<number, ReturnType<typeof newPartitionCount>>();
  for (const message of log) {
    const { partition } = message;
    let count = counts.get(partition);
    if (count === undefined) {
      count = newPartitionCount();
      counts.set(partition, count);
    }
    checkOrder(message, books, findings);
    const counting = countMessage(count, toCountable(message));
    books.ends.set(partition, { end: message.offset + 1, epoch: count.epoch });
    if (counting === "gap") {
      const name = shardKey(message.batch, message.shard);
      findings.add(
        "log_broken",
        `offset ${message.offset} of partition ${partition}: entry ${message.number} of shard ${name} skips numbers`,
      );
    }
    if (counting === "counts") applyMessage(message, partitions, books, findings);
  }
  checkTransfers(books, findings);
}

function checkOrder({ partition, offset }: LogEntry, books: Books, findings: Findings): void {
  const due = books.ends.get(partition)?.end ?? 0;
  if (offset === due) return;
  findings.add("log_broken", `partition ${partition} goes on at offset ${offset} where ${due} is due`);
}

function applyMessage(message: LogEntry, partitions: number, books: Books, findings: Findings): void {
  const shard = shardOf(message, partitions, books, findings);
  if (shard === null) return;
  const at: At = { shard, number: message.number, offset: message.offset };
  const entry = JSON.parse(message.text) as Entry;
  const same = entry.batch === message.batch && entry.shard === message.shard && entry.number === message.number;
  if (!same || entry.kind !== message.kind) {
    findings.add("log_broken", `entry ${message.number} is not what its headers say`, [], [placeOf(at)]);
  }
  if (entry.prev !== shard.hash) {
    findings.add("log_broken", `entry ${message.number} does not follow from the one before it`, [], [placeOf(at)]);
  }
  if (entry.at < shard.atMs)
    findings.add("log_broken", `entry ${message.number} is before its time`, [], [placeOf(at)]);
  shard.number = message.number;
  shard.hash = hash("sha1", message.text, "hex");
  shard.atMs = entry.at;
  apply(entry, at, findings);
}

function apply(entry: Entry, at: At, findings: Findings): void {
  switch (entry.kind) {
    case "issue":
      applyIssue(entry, at, findings);
      break;
    case "rules":
      applyRules(entry, at, findings);
      break;
    case "debit":
    case "credit":
      applyTransfer(entry, at, findings);
      break;
    case "correct":
      // Changes no fact: what was derived from the log is derived anew.
      break;
    default:
      applyItems(entry, at, findings);
  }
}

function shardOf(message: LogEntry, partitions: number, books: Books, findings: Findings): ShardBook | null {
  const batch = books.byNumber.get(message.batch);
  if (batch === undefined) {
    findings.add(
      "phantom",
      `offset ${message.offset} of partition ${message.partition}: batch ${message.batch} was never published`,
    );
    return null;
  }
  let shard = batch.shards.get(message.shard);
  if (shard === undefined) {
    shard = new ShardBook(batch, message.shard, message.partition);
    batch.shards.set(message.shard, shard);
    if (partitionOf(message.batch, message.shard, partitions) !== message.partition) {
      findings.add(
        "log_broken",
        `shard ${shardKey(message.batch, message.shard)} is in partition ${message.partition}`,
      );
    }
  }
  return shard;
}
