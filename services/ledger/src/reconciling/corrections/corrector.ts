import { setTimeout as sleep } from "node:timers/promises";
import { deriveAnew, type Pool, readPositions, withoutSweeps } from "@coupon/database";
import { type BatchDefinition, partitionOf } from "@coupon/domain";
import type { LogReader } from "@coupon/events";
import type { ShardReads } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { IssuingCalls } from "../../stores/issuing-calls.ts";
import type { CorrectionRequest, Reconciliations } from "../../stores/reconciliations.ts";
import type { Auditor } from "../audit/auditor.ts";
import { BYTES_A_COUPON } from "../audit/coupon-table.ts";
import { CouponEntries } from "../audit/gather.ts";
import type { ReconcilingMetrics } from "../metrics.ts";
import { BackOff } from "./back-off.ts";
import { BooksCorrection, Outrun } from "./books-correction.ts";

export interface CorrectorOptions {
  store: Reconciliations;
  /** Connections for writing. */
  pool: Pool;
  reads: ShardReads;
  auditor: Auditor;
  issuing: IssuingCalls;
  definitionOf: (batch: number) => BatchDefinition | undefined;
  partitions: number;
  /** As much memory as so many coupons take in an audit is had for the entries of a shard whose books are derived anew. */
  couponsAtOnce: number;
  metrics: ReconcilingMetrics;
  logger: Logger;
}

type Approved = Awaited<ReturnType<Reconciliations["approved"]>>[number];

const SWEEP_MS = 500;
/** An approved correction whose entry has not come back through the log by then is sent to its shard again. */
const RESEND_AFTER_MS = 10_000;
/** Messages of the log that are read under the lock at most, where a few readings before it can keep up with traffic. */
const UNDER_LOCK_MAX = 500;
const READINGS_MAX = 5;
const AGAIN_WAITS = { leastMs: 1_000, mostMs: 60_000 };

/**
 * Carries approved corrections out: has the entry written by the shard's owner, and, once the ledger has applied that
 * entry, derives anew what it names in PostgreSQL. Redis is built anew by the owner itself. Then an audit of the shard
 * shows what it has led to. Any process may do any step, and a step done twice does no harm.
 */
export class Corrector {
  readonly #options: CorrectorOptions;
  readonly #stopping = new AbortController();
  readonly #sentAtMs = new Map<string, number>();
  readonly #deriving = new Set<string>();
  readonly #backOff = new BackOff(AGAIN_WAITS);
  #running: Promise<void> = Promise.resolve();

  constructor(options: CorrectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Has an approved correction written into its shard's log. False where that is not known to have been done. */
  send(correction: CorrectionRequest, traceparent?: string): Promise<boolean> {
    const { batch, shard, correctionId, stores, serials, reason, proposedBy, approvedBy } = correction;
    this.#sentAtMs.set(correctionId, performance.now());
    const entry = { correctionId, stores, serials, reason, proposedBy, approvedBy: approvedBy ?? "" };
    return this.#options.issuing.correct(batch, shard, entry, traceparent);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(SWEEP_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      // PostgreSQL being away shows elsewhere; the next sweep tries again.
      const approved = await this.#options.store.approved().catch(() => null);
      if (approved === null) continue;
      this.#backOff.keepOnly(new Set(approved.map(({ correctionId }) => correctionId)));
      for (const correction of approved) await this.#further(correction).catch((error: unknown) => this.#failed(error));
    }
  }

  async #further(correction: Approved): Promise<void> {
    const { correctionId, entry, stores } = correction;
    if (entry === null) {
      await this.#sendAgain(correction);
      return;
    }
    if (stores.includes("redis") && !(await this.#isRebuilt(correction))) return this.#sendAgain(correction);
    if (!stores.includes("postgresql")) return this.#applied(correction, entry, null);
    if (this.#deriving.has(correctionId) || !this.#options.auditor.hasRoom) return;
    if (!this.#backOff.isDue(correctionId, performance.now())) return;
    this.#deriving.add(correctionId);
    void this.#options.auditor
      .alone((reader) => this.#attempt(correction, entry, reader))
      .finally(() => this.#deriving.delete(correctionId));
  }

  /** What can't be done now gives way to what waits behind it, and is tried again, less and less often. */
  async #attempt(correction: Approved, entry: number, reader: LogReader): Promise<void> {
    const { correctionId } = correction;
    const { logger, metrics, pool } = this.#options;
    const derive = () => this.#derive(correction, entry, reader);
    try {
      await (correction.serials.length === 0 ? withoutSweeps(pool, correction, derive) : derive());
    } catch (error) {
      this.#backOff.failed(correctionId, performance.now());
      metrics.correctionAgain();
      if (!(error instanceof Outrun)) throw error;
      logger.info({ correctionId, err: error }, "a correction was outrun by its shard; trying again");
      return;
    }
    metrics.corrected();
    await this.#verify(correction);
  }

  async #sendAgain(correction: Approved): Promise<void> {
    const approvedForMs = Date.now() - (correction.approvedAt?.getTime() ?? 0);
    const sentAtMs = this.#sentAtMs.get(correction.correctionId) ?? performance.now() - approvedForMs;
    if (performance.now() - sentAtMs > RESEND_AFTER_MS) await this.send(correction);
  }

  /** The header names the correction that it was last written, until the shard is built anew. */
  async #isRebuilt({ batch, shard, correctionId }: Approved): Promise<boolean> {
    const [header] = await this.#options.reads.headers([{ batch, shard }]);
    return header != null && header.correctionId !== correctionId;
  }

  async #derive(correction: Approved, entry: number, reader: LogReader): Promise<void> {
    const { correctionId, batch, shard, serials } = correction;
    const partition = partitionOf(batch, shard, this.#options.partitions);
    const books = serials.length === 0 ? await this.#booksOf(correction, entry) : null;
    const gathered = new CouponEntries(reader, { partition, batch, shard, serials }, (each) =>
      books?.entries.apply(each),
    );
    try {
      await this.#readAhead(gathered, partition);
      await deriveAnew(
        this.#options.pool,
        { partition, batch, shard, serials },
        async (position, source, number) => {
          if (gathered.position > position) throw new Error("the ledger has gone back; once more");
          await gathered.to(position);
          if (serials.length > 0 && !gathered.knowsAll(serials)) {
            throw new Error("the log does not go back to the issue of these coupons");
          }
          const derived = gathered.derive();
          return { ...derived, books: books === null ? null : await books.derive(source, number, Date.now()) };
        },
        async (connection, number) => {
          await this.#options.store.markApplied(correctionId, entry, number, connection);
        },
      );
    } finally {
      await gathered.close();
    }
  }

  /** Nearly all of the log is read before the position is locked, and the little that comes meanwhile under the lock. */
  async #readAhead(gathered: CouponEntries, partition: number): Promise<void> {
    for (let reading = 0; reading < READINGS_MAX; reading += 1) {
      const [standing] = await readPositions(this.#options.pool, [partition]);
      const behind = (standing?.position ?? 0) - gathered.position;
      if (reading > 0 && behind <= UNDER_LOCK_MAX) return;
      await gathered.to(standing?.position ?? 0);
    }
  }

  /** A correction that names no coupon is of the shard: its counters and its books. */
  async #booksOf({ batch, shard }: Approved, correctionNumber: number): Promise<BooksCorrection | null> {
    const { pool, definitionOf, couponsAtOnce } = this.#options;
    const { rows } = await pool.query<{ number: number }>(
      "SELECT number FROM ledger.shard WHERE batch = $1 AND shard = $2",
      [batch, shard],
    );
    const at = { batch, shard, number: rows[0]?.number ?? 0, correctionNumber };
    return BooksCorrection.open(pool, at, definitionOf(batch), couponsAtOnce * BYTES_A_COUPON);
  }

  async #applied(correction: Approved, entry: number, derivedAtNumber: number | null): Promise<void> {
    const mine = await this.#options.store.markApplied(correction.correctionId, entry, derivedAtNumber);
    if (!mine) return;
    this.#options.metrics.corrected();
    await this.#verify(correction);
  }

  async #verify({ batch, shard, correctionId }: Approved): Promise<void> {
    this.#sentAtMs.delete(correctionId);
    await this.#options.auditor.start({ trigger: "correction", startedBy: correctionId, batch, shard });
  }

  #failed(error: unknown): void {
    this.#options.logger.error({ err: error }, "a correction could not be carried further; trying again");
  }
}
