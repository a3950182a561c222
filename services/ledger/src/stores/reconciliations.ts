import { randomBytes } from "node:crypto";
import type { Pool } from "@coupon/database";
import type { DerivedStore } from "@coupon/domain";
import type { Finding } from "../reconciling/audit/finding.ts";

export type Trigger = "operator" | "nightly" | "proof" | "correction";

export interface Reconciliation {
  reconciliationId: string;
  trigger: Trigger;
  startedBy: string;
  /** Null: all batches; all shards. */
  batch: number | null;
  shard: number | null;
  state: "queued" | "running" | "clean" | "discrepant" | "failed";
  createdAt: Date;
  /** When the process that runs it last said so. */
  beatAt: Date;
  finishedAt: Date | null;
  shards: number;
  coupons: number;
  found: number;
  detail: string | null;
}

export interface Discrepancy extends Finding {
  discrepancyId: number;
  couponId: string | null;
  correctionId: string | null;
}

export interface CorrectionRequest {
  correctionId: string;
  reconciliationId: string;
  batch: number;
  shard: number;
  stores: DerivedStore[];
  serials: number[];
  reason: string;
  /** `applied` once the entry is in the log and what it names has been derived anew. */
  state: "proposed" | "approved" | "applied";
  version: number;
  proposedBy: string;
  proposedAt: Date;
  approvedBy: string | null;
  approvedAt: Date | null;
  /** The entry that carries it. */
  number: number | null;
  /** The entry as of which PostgreSQL's rows were derived anew. */
  derivedAtNumber: number | null;
  appliedAt: Date | null;
}

const runColumns = `reconciliation_id AS "reconciliationId", trigger, started_by AS "startedBy", batch, shard, state,
  created_at AS "createdAt", beat_at AS "beatAt", finished_at AS "finishedAt", shards, coupons, found, detail`;
const correctionColumns = `correction_id AS "correctionId", reconciliation_id AS "reconciliationId", batch, shard,
  stores, serials, reason, state, version, proposed_by AS "proposedBy", proposed_at AS "proposedAt",
  approved_by AS "approvedBy", approved_at AS "approvedAt", number, derived_at_number AS "derivedAtNumber",
  applied_at AS "appliedAt"`;

/** A new id: ids of a kind sort by the time they were made. */
function newId(kind: "rec" | "cor"): string {
  return `${kind}_${Date.now().toString(16).padStart(12, "0")}${randomBytes(10).toString("hex")}`;
}

/** Runs of the audit, what they found, and corrections, in PostgreSQL. Rows are never taken back. */
export class Reconciliations {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Null where another process has begun that night's run already. */
  async create(run: {
    trigger: Trigger;
    startedBy: string;
    batch: number | null;
    shard: number | null;
    night?: string;
  }): Promise<Reconciliation | null> {
    const { rows } = await this.#pool.query<Reconciliation>(
      `INSERT INTO ledger.reconciliation (reconciliation_id, trigger, started_by, batch, shard, state, night)
       VALUES ($1, $2, $3, $4, $5, 'queued', $6) ON CONFLICT (night) DO NOTHING RETURNING ${runColumns}`,
      [newId("rec"), run.trigger, run.startedBy, run.batch, run.shard, run.night ?? null],
    );
    return rows[0] ?? null;
  }

  async list(limit: number, after: string | null): Promise<Reconciliation[]> {
    const { rows } = await this.#pool.query<Reconciliation>(
      `SELECT ${runColumns} FROM ledger.reconciliation
       WHERE $2::text IS NULL OR (created_at, reconciliation_id) <
         (SELECT created_at, reconciliation_id FROM ledger.reconciliation WHERE reconciliation_id = $2)
       ORDER BY created_at DESC, reconciliation_id DESC LIMIT $1`,
      [limit, after],
    );
    return rows;
  }

  async find(reconciliationId: string): Promise<Reconciliation | null> {
    const { rows } = await this.#pool.query<Reconciliation>(
      `SELECT ${runColumns} FROM ledger.reconciliation WHERE reconciliation_id = $1`,
      [reconciliationId],
    );
    return rows[0] ?? null;
  }

  async beat(reconciliationId: string, progress: { shards: number; coupons: number; found: number }): Promise<void> {
    await this.#pool.query(
      `UPDATE ledger.reconciliation SET state = CASE state WHEN 'queued' THEN 'running' ELSE state END, beat_at = now(),
         shards = $2, coupons = $3, found = $4 WHERE reconciliation_id = $1`,
      [reconciliationId, progress.shards, progress.coupons, progress.found],
    );
  }

  async finish(
    reconciliationId: string,
    outcome: { state: Reconciliation["state"]; shards: number; coupons: number; found: number; detail: string | null },
  ): Promise<void> {
    await this.#pool.query(
      `UPDATE ledger.reconciliation SET state = $2, finished_at = now(), beat_at = now(), shards = $3, coupons = $4,
         found = $5, detail = $6 WHERE reconciliation_id = $1`,
      [reconciliationId, outcome.state, outcome.shards, outcome.coupons, outcome.found, outcome.detail],
    );
  }

  async addDiscrepancy(reconciliationId: string, finding: Finding, couponId: string | null): Promise<void> {
    const { batch, shard, serial, store, kind, number, expected, found } = finding;
    await this.#pool.query(
      `INSERT INTO ledger.discrepancy (reconciliation_id, batch, shard, serial, coupon_id, store, kind, number, expected,
         found) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        ...[reconciliationId, batch, shard, serial, couponId, store, kind, number],
        ...[JSON.stringify(expected ?? null), JSON.stringify(found ?? null)],
      ],
    );
  }

  async discrepancies(reconciliationId: string): Promise<Discrepancy[]> {
    const { rows } = await this.#pool.query<Discrepancy>(
      `SELECT discrepancy_id AS "discrepancyId", batch, shard, serial, coupon_id AS "couponId", store, kind, number,
         expected, found, correction_id AS "correctionId"
       FROM ledger.discrepancy WHERE reconciliation_id = $1 ORDER BY discrepancy_id`,
      [reconciliationId],
    );
    return rows;
  }

  /**
   * Discrepancies that no later audit of their shard has found gone, by store: what the newest runs left open. The last audit
   * of everything has left open nothing that is older, so that runs of years are not looked at.
   */
  async countOpen(): Promise<{ store: DerivedStore; open: number }[]> {
    const { rows } = await this.#pool.query<{ store: DerivedStore; open: number }>(
      `SELECT d.store, count(*)::integer AS open FROM ledger.discrepancy d
       JOIN ledger.reconciliation r USING (reconciliation_id)
       WHERE r.created_at >= coalesce((SELECT created_at FROM ledger.reconciliation
           WHERE batch IS NULL AND state IN ('clean', 'discrepant') ORDER BY created_at DESC LIMIT 1), '-infinity')
         AND NOT EXISTS (SELECT FROM ledger.reconciliation n WHERE n.created_at > r.created_at
         AND n.state IN ('clean', 'discrepant') AND (n.batch IS NULL OR n.batch = d.batch)
         AND (n.shard IS NULL OR n.shard = d.shard)) GROUP BY d.store`,
    );
    return rows;
  }

  /** Null where one of the discrepancies has a correction already. */
  async propose(correction: {
    reconciliationId: string;
    batch: number;
    shard: number;
    stores: DerivedStore[];
    serials: number[];
    reason: string;
    proposedBy: string;
    discrepancyIds: number[];
  }): Promise<CorrectionRequest | null> {
    const { rows } = await this.#pool.query<CorrectionRequest>(
      `WITH free AS (
         SELECT discrepancy_id FROM ledger.discrepancy
         WHERE discrepancy_id = ANY ($9::bigint[]) AND correction_id IS NULL ORDER BY discrepancy_id FOR UPDATE
       ), request AS (
         INSERT INTO ledger.correction_request (correction_id, reconciliation_id, batch, shard, stores, serials, reason,
           state, proposed_by)
         SELECT $1, $2, $3::integer, $4::smallint, $5::text[], $6::integer[], $7, 'proposed', $8
         WHERE (SELECT count(*) FROM free) = cardinality($9::bigint[]) RETURNING *
       ), named AS (
         UPDATE ledger.discrepancy SET correction_id = $1
         WHERE discrepancy_id = ANY ($9::bigint[]) AND EXISTS (SELECT FROM request)
       ) SELECT ${correctionColumns} FROM request`,
      [
        ...[newId("cor"), correction.reconciliationId, correction.batch, correction.shard, correction.stores],
        ...[correction.serials, correction.reason, correction.proposedBy, correction.discrepancyIds],
      ],
    );
    return rows[0] ?? null;
  }

  async corrections(reconciliationId: string): Promise<CorrectionRequest[]> {
    const { rows } = await this.#pool.query<CorrectionRequest>(
      `SELECT ${correctionColumns} FROM ledger.correction_request WHERE reconciliation_id = $1 ORDER BY correction_id`,
      [reconciliationId],
    );
    return rows;
  }

  /** Approves a proposal by compare-and-set of its version; null where it has changed since. */
  async approve(correctionId: string, version: number, approvedBy: string): Promise<CorrectionRequest | null> {
    const { rows } = await this.#pool.query<CorrectionRequest>(
      `UPDATE ledger.correction_request SET state = 'approved', version = version + 1, approved_by = $3,
         approved_at = now() WHERE correction_id = $1 AND version = $2 AND state = 'proposed'
       RETURNING ${correctionColumns}`,
      [correctionId, version, approvedBy],
    );
    return rows[0] ?? null;
  }

  /** Approved corrections that are not applied yet, with the entry that carries each, where the ledger has it. */
  async approved(): Promise<(CorrectionRequest & { entry: number | null })[]> {
    const { rows } = await this.#pool.query<CorrectionRequest & { entry: number | null }>(
      `SELECT ${correctionColumns}, (SELECT min(c.number) FROM ledger.correction c
           WHERE c.correction_id = q.correction_id AND c.batch = q.batch AND c.shard = q.shard) AS entry
       FROM ledger.correction_request q WHERE state = 'approved' ORDER BY correction_id LIMIT 100`,
    );
    return rows;
  }

  /** False where another process has done it. `db` may be a transaction. */
  async markApplied(
    correctionId: string,
    number: number,
    derivedAtNumber: number | null,
    db: Pick<Pool, "query"> = this.#pool,
  ): Promise<boolean> {
    const { rowCount } = await db.query(
      `UPDATE ledger.correction_request SET state = 'applied', version = version + 1, number = $2,
         derived_at_number = $3, applied_at = now() WHERE correction_id = $1 AND state = 'approved'`,
      [correctionId, number, derivedAtNumber],
    );
    return rowCount === 1;
  }
}
