import { setTimeout as sleep } from "node:timers/promises";
import { openShardBooks, type Pool, readUnopenedShards } from "@coupon/database";
import { StartFailure } from "@coupon/service-kit";
import { EventLines } from "./event-lines.ts";
import type { TermsSource } from "./terms.ts";

const POLL_MS = 50;

/**
 * Gives every shard that had coupons before there were books its opening lines: what its coupons may yet take off, and
 * what they have cost. To be called before anything is applied. Each shard is opened once, by whichever ledger.
 *
 * @throws StartFailure where a batch's terms are not known in time
 */
export async function openBooks(options: {
  pool: Pool;
  terms: TermsSource;
  waitMs: number;
  now(): number;
}): Promise<void> {
  const { pool, terms, now } = options;
  for (const { batch, shard } of await readUnopenedShards(pool)) {
    for (let waitedMs = 0; terms.of(batch) === undefined; waitedMs += POLL_MS) {
      if (waitedMs >= options.waitMs) {
        throw new StartFailure(`The books of batch ${batch} can't be opened: campaigns has not published its terms.`);
      }
      await sleep(POLL_MS);
    }
    const known = terms.of(batch);
    if (known === undefined) continue;
    await openShardBooks(pool, {
      ...{ batch, shard, terms: known.terms },
      lines({ number, outstanding, redemptions }) {
        const lines = new EventLines({ batch, shard, number, atMs: now() }, known);
        lines.commit("open", outstanding);
        for (const cost of redemptions) lines.spend("open", 1, known.split(cost));
        return lines.written([]);
      },
    });
    terms.stored([known.terms]);
  }
}
