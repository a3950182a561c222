import type { Findings } from "../findings.ts";
import type { Books } from "../log/books.ts";
import type { HotRow } from "./ledger-rows.ts";

/** Holds Redis' counters to the log: every shard is there, at the log's last entry, with the stock that is left. */
export function compareHot(rows: readonly HotRow[], books: Books, findings: Findings): void {
  const found = new Map(rows.map((row) => [`${row.batch}.${row.shard}`, row]));
  for (const { batch, shard, number, hash, coupons, left } of books.shards()) {
    const name = `${batch.number}.${shard}`;
    const row = found.get(name);
    found.delete(name);
    if (row === undefined) {
      findings.add("redis_differs", `shard ${name} is in the log and not in Redis`);
      continue;
    }
    const due = { number, hash, issued: coupons.length, left };
    for (const [counter, value] of Object.entries(due)) {
      const has = row[counter as keyof typeof due];
      if (has !== value) {
        findings.add("redis_differs", `shard ${name} has ${counter} ${has} in Redis, and ${value} by the log`);
      }
    }
  }
  for (const [name, { number }] of found) {
    if (number > 0) findings.add("redis_differs", `shard ${name} is in Redis and not in the log`);
  }
}
