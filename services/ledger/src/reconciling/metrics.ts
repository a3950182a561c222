import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ProofSummary } from "./proof/prover.ts";

export interface ReconcilingMetrics {
  round(seconds: number): void;
  drifted(): void;
  audited(state: string, coupons: number, seconds: number): void;
  corrected(): void;
  correctionAgain(): void;
}

/** `summary` and `open` are asked when metrics are scraped. */
export function createReconcilingMetrics(
  registry: Registry,
  summary: () => ProofSummary,
  open: () => Promise<{ store: string; open: number }[]>,
): ReconcilingMetrics {
  const registers = [registry];
  new Gauge({
    name: "reconciliation_proof_shards",
    help: "Shards by what the running proof says of them: proven, waiting, drifting",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      const { shards } = summary();
      for (const state of ["proven", "waiting", "drifting"] as const) {
        this.set({ state }, shards.filter((each) => each.state === state).length);
      }
    },
  });
  new Gauge({
    name: "reconciliation_proof_age_seconds",
    help: "How long ago the shard that was proven longest ago was proven; shards never proven count from the start",
    registers,
    collect() {
      this.set(oldestSeconds(summary(), Date.now()));
    },
  });
  new Gauge({
    name: "reconciliation_stock",
    help: "Stock of the batches proven here, over all their shards: given = issued + left + in_transfer",
    labelNames: ["part"],
    registers,
    collect() {
      const total = { given: 0, issued: 0, left: 0, in_transfer: 0 };
      for (const { given, issued, left, inTransfer } of summary().batches) {
        total.given += given;
        total.issued += issued;
        total.left += left;
        total.in_transfer += inTransfer;
      }
      for (const [part, amount] of Object.entries(total)) this.set({ part }, amount);
    },
  });
  new Gauge({
    name: "reconciliation_discrepancies",
    help: "Discrepancies that no later audit of their shard has found gone, by the store that differs from the log",
    labelNames: ["store"],
    registers,
    async collect() {
      const counts = await open().catch(() => []);
      this.reset();
      for (const store of ["redis", "postgresql"]) {
        this.set({ store }, counts.find((each) => each.store === store)?.open ?? 0);
      }
    },
  });
  const rounds = new Histogram({
    name: "reconciliation_round_seconds",
    help: "One round of the running proof over all shards",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const drifts = new Counter({
    name: "reconciliation_drifts_total",
    help: "Drifts found by the running proof",
    registers,
  });
  const audits = new Counter({
    name: "reconciliation_audits_total",
    help: "Audits that have ended: clean, discrepant, failed",
    labelNames: ["state"],
    registers,
  });
  const coupons = new Counter({
    name: "reconciliation_audited_coupons_total",
    help: "Coupons compared by audits",
    registers,
  });
  const seconds = new Histogram({
    name: "reconciliation_audit_seconds",
    help: "How long audits took",
    buckets: [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 900, 3_600],
    registers,
  });
  const corrections = new Counter({ name: "reconciliation_corrections_total", help: "Corrections applied", registers });
  const again = new Counter({
    name: "reconciliation_correction_retries_total",
    help: "Approved corrections that could not be derived, and are tried again",
    registers,
  });
  return {
    round: (took) => rounds.observe(took),
    drifted: () => drifts.inc(),
    audited(state, count, took) {
      audits.inc({ state });
      coupons.inc(count);
      seconds.observe(took);
    },
    corrected: () => corrections.inc(),
    correctionAgain: () => again.inc(),
  };
}

/** 0 where there is no shard. */
export function oldestSeconds({ shards, startedAtMs }: ProofSummary, nowMs: number): number {
  const oldest = shards.reduce((least, { provenAtMs }) => Math.min(least, provenAtMs || startedAtMs), nowMs);
  return (nowMs - oldest) / 1_000;
}
