import { setTimeout as sleep } from "node:timers/promises";
import { type Pool, readSweepableShards, readTrialBalance, type SweepableShard, sweepShard } from "@coupon/database";
import { couponWindow, firstLiveIssueMs } from "@coupon/domain";
import type { Logger } from "@coupon/service-kit";
import { EventLines } from "./event-lines.ts";
import type { PostingMetrics } from "./posting-metrics.ts";
import type { TermsSource } from "./terms.ts";

export interface SweeperOptions {
  pool: Pool;
  terms: TermsSource;
  /** Offset that the next message of each partition will get, now; null where the log can't be asked. */
  logEnds(): Promise<readonly number[] | null>;
  everyMs: number;
  graceMs: number;
  metrics: PostingMetrics;
  logger: Logger;
  now(): number;
}

const SHARDS_A_PAGE = 1_000;
const COUPONS_A_TRANSACTION = 5_000;
/** Of one shard in one round, so that none holds up the others. */
const TRANSACTIONS_A_SHARD = 20;

/**
 * Posts what the end of a validity means in money: nothing in the log says so, it follows from time. A shard with
 * traffic tells the time itself, by its last entry applied: no entry from before it can come any more. For a silent
 * one the wall clock tells it, with a grace, once everything that the log holds has been applied.
 *
 * Any number of ledgers may sweep at once: each shard is held while it is swept, and remembers how far it was.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * Looks at every shard once; true where there is more to do at once.
   *
   * @throws the database's error
   */
  async round(): Promise<boolean> {
    const { pool, metrics, logEnds, now } = this.#options;
    const nowMs = now();
    const ends = await logEnds();
    let more = false;
    let lagMs = 0;
    let after = { batch: -1, shard: -1 };
    for (let page = await readSweepableShards(pool, after, SHARDS_A_PAGE); page.length > 0; ) {
      for (const shard of page) {
        if (this.#stopping.signal.aborted) return false;
        const rest = await this.#sweep(shard, nowMs, ends?.[shard.partition] ?? null);
        more ||= rest.more;
        lagMs = Math.max(lagMs, rest.lagMs);
        after = shard;
      }
      page = page.length < SHARDS_A_PAGE ? [] : await readSweepableShards(pool, after, SHARDS_A_PAGE);
    }
    metrics.lagged(lagMs / 1_000);
    metrics.balanced(await readTrialBalance(pool));
    return more;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let more = false;
      try {
        more = await this.round();
      } catch (error) {
        this.#options.metrics.failed();
        this.#options.logger.warn({ err: error }, "expired coupons could not be swept; trying again");
      }
      if (!more) await sleep(this.#options.everyMs, undefined, { signal }).catch(() => {});
    }
  }

  async #sweep(found: SweepableShard, nowMs: number, logEnd: number | null): Promise<{ more: boolean; lagMs: number }> {
    const { batch, shard } = found;
    const terms = this.#options.terms.of(batch);
    if (terms === undefined) return { more: false, lagMs: 0 };
    const template = { validity: terms.terms.validity, timeZone: terms.terms.timeZone };
    const silent = logEnd === null ? null : { untilMs: nowMs - this.#options.graceMs, logEnd };
    const ask = {
      ...{ batch, shard, silent, limit: COUPONS_A_TRANSACTION },
      firstLiveIssueMs: (atMs: number) => firstLiveIssueMs(template, atMs),
      lines: (number: number, coupons: number) => {
        const lines = new EventLines({ batch, shard, number, atMs: nowMs }, terms);
        lines.release("expire", coupons);
        return lines.written([]);
      },
    };
    const { nextIssuedAtMs } = found;
    const latestMs = Math.max(found.atMs, silent?.untilMs ?? 0);
    const over = nextIssuedAtMs !== null && nextIssuedAtMs < ask.firstLiveIssueMs(latestMs);
    let more = over || found.deferring;
    for (let n = 0; more && n < TRANSACTIONS_A_SHARD; n += 1) {
      const swept = await sweepShard(this.#options.pool, ask);
      this.#options.metrics.swept(swept);
      more = swept.more;
    }
    return { more, lagMs: nextIssuedAtMs === null ? 0 : overSinceMs(template, nextIssuedAtMs, nowMs) };
  }
}

function overSinceMs(template: Parameters<typeof couponWindow>[0], issuedAtMs: number, nowMs: number): number {
  return Math.max(0, nowMs - couponWindow(template, Math.floor(issuedAtMs / 1_000)).validUntilMs);
}
