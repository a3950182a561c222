import { randomUUID } from "node:crypto";
import { readStrayRows } from "@coupon/database";
import type { LogReader } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { Reconciliation, Reconciliations, Trigger } from "../../stores/reconciliations.ts";
import { attemptUntilDone } from "../attempt-until-done.ts";
import type { ReconcilingMetrics } from "../metrics.ts";
import { type AuditResources, auditPartition } from "./audit-partition.ts";
import type { Finding } from "./finding.ts";
import { type Naming, nameFindings } from "./name-findings.ts";

export interface AuditorOptions extends Omit<AuditResources, "reader" | "strays" | "batch"> {
  store: Reconciliations;
  pool: Naming["pool"];
  codec: Naming["codec"];
  definitionOf: Naming["definitionOf"];
  partitions: number;
  /** A reader that this process alone uses, made when it is first needed. */
  openReader: (name: string) => LogReader;
  metrics: ReconcilingMetrics;
  logger: Logger;
}

export interface AuditAsk {
  trigger: Trigger;
  startedBy: string;
  batch: number | null;
  shard: number | null;
  night?: string;
}

/** Audits and other walks over the log that wait; beyond, nothing more is taken. */
const WAITING_MAX = 64;
/** Discrepancies of one run that are named and kept; beyond, they are only counted. */
const FINDINGS_MAX = 1_000;
const BEAT_MS = 2_000;
const FINISH_WAITS = { leastMs: 500, mostMs: 5_000 };

/** Runs audits one after the other, and whatever else walks over the log: their reader reads one range at a time. */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #stopping = new AbortController();
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  #reader: Promise<LogReader> | null = null;

  constructor(options: AuditorOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#waiting < WAITING_MAX && !this.#stopping.signal.aborted;
  }

  /** Starts an audit, or lets it wait for its turn; null where there are too many, or the night's has begun elsewhere. */
  async start(ask: AuditAsk): Promise<Reconciliation | null> {
    return (await this.#begin(ask))?.run ?? null;
  }

  /** As {@link start}, and waits until it has ended: says how. */
  async audit(ask: AuditAsk): Promise<Reconciliation["state"] | null> {
    const begun = await this.#begin(ask);
    return begun === null ? null : begun.ended;
  }

  async #begin(ask: AuditAsk): Promise<{ run: Reconciliation; ended: Promise<Reconciliation["state"]> } | null> {
    if (!this.hasRoom) return null;
    const run = await this.#options.store.create(ask);
    if (run === null) return null;
    let state: Reconciliation["state"] = "failed";
    const ended = this.alone(async (reader) => {
      state = await this.#run(run, reader);
    }).then(() => state);
    return { run, ended };
  }

  /** Runs work that walks over the log in its turn. Its failure is logged and ends nothing else. */
  alone(work: (reader: LogReader) => Promise<void>): Promise<void> {
    this.#waiting += 1;
    const mine = this.#last.then(async () => {
      try {
        if (!this.#stopping.signal.aborted) await work(await this.#open());
      } catch (error) {
        await this.#drop();
        if (!this.#stopping.signal.aborted) this.#options.logger.error({ err: error }, "a walk over the log failed");
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#last = mine;
    return mine;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the ledger stops"));
    await this.#drop();
    await this.#last;
  }

  async #open(): Promise<LogReader> {
    this.#reader ??= (async () => {
      const reader = this.#options.openReader(`audit-${randomUUID().slice(0, 8)}`);
      await reader.connect();
      return reader;
    })();
    return this.#reader;
  }

  async #drop(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.then((each) => each.close()).catch(() => {});
  }

  async #run(run: Reconciliation, reader: LogReader): Promise<Reconciliation["state"]> {
    const { store, metrics, logger } = this.#options;
    const startedAt = performance.now();
    const tally = { shards: 0, coupons: 0, found: 0 };
    const left: string[] = [];
    const beat = setInterval(() => void store.beat(run.reconciliationId, tally).catch(() => {}), BEAT_MS);
    const end = async (state: Reconciliation["state"], detail: string | null) => {
      clearInterval(beat);
      metrics.audited(state, tally.coupons, (performance.now() - startedAt) / 1_000);
      // What ended it may still keep PostgreSQL from taking that in.
      const finish = () => store.finish(run.reconciliationId, { state, detail, ...tally }).then(() => true);
      await attemptUntilDone(finish, this.#stopping.signal, FINISH_WAITS);
      return state;
    };
    try {
      // Where PostgreSQL is silent, the audit itself says so.
      await store.beat(run.reconciliationId, tally).catch(() => {});
      const strays = await readStrayRows(this.#options.snapshots, run.batch);
      for (let partition = 0; partition < this.#options.partitions; partition += 1) {
        await this.#partition(run, { reader, strays }, partition, tally, left);
      }
      const because = left.length === 0 ? null : `not compared with Redis: ${left.slice(0, 10).join("; ")}`;
      const { reconciliationId } = run;
      if (tally.found > 0) logger.error({ reconciliationId, ...tally }, "an audit has found discrepancies");
      if (left.length > 0) return await end("failed", because);
      return await end(tally.found === 0 ? "clean" : "discrepant", null);
    } catch (error) {
      await end("failed", (error as Error).message);
      throw error;
    }
  }

  async #partition(
    run: Reconciliation,
    { reader, strays }: Pick<AuditResources, "reader" | "strays">,
    partition: number,
    tally: { shards: number; coupons: number; found: number },
    left: string[],
  ): Promise<void> {
    const { store, pool, codec, definitionOf } = this.#options;
    const findings: Finding[] = [];
    const kept = tally.found;
    await auditPartition(
      { ...this.#options, reader, strays, batch: run.batch },
      partition,
      (batch, shard) => (run.batch ?? batch) === batch && (run.shard ?? shard) === shard,
      {
        found: (finding) => {
          tally.found += 1;
          if (kept + findings.length < FINDINGS_MAX) findings.push(finding);
        },
        compared: (coupons, shardDone) => {
          tally.coupons += coupons;
          tally.shards += shardDone ? 1 : 0;
        },
        left: (key, because) => left.push(`${key} (${because})`),
        signal: this.#stopping.signal,
      },
    );
    if (findings.length === 0) return;
    for (const each of await nameFindings({ pool, reader, codec, definitionOf }, partition, findings)) {
      await store.addDiscrepancy(run.reconciliationId, each, each.couponId);
    }
  }
}
