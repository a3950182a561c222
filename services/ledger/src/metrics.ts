import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { HaltReason } from "./applying/lane.ts";

/** Where a partition stands, as metrics show it. */
export interface PartitionGauge {
  partition: number;
  applied: number;
  /** Messages in the log that are not applied yet. */
  lagMessages: number;
  /** How old the last entry applied is while there are messages after it; else 0. */
  lagSeconds: number;
  halted: boolean;
}

export interface LedgerMetrics {
  committed(rows: number, entries: number, seconds: number): void;
  failed(reason: "overtaken" | "refused" | "unavailable"): void;
  halted(reason: HaltReason): void;
  waited(seconds: number, applied: boolean): void;
}

/** Everything that the ledger measures beside its requests. `partitions` is read when scraped. */
export function createLedgerMetrics(registry: Registry, partitions: () => PartitionGauge[]): LedgerMetrics {
  const registers = [registry];
  const rows = new Counter({ name: "ledger_rows_total", help: "Rows written for entries", registers });
  const entries = new Counter({ name: "ledger_entries_total", help: "Entries applied", registers });
  const transactionSeconds = new Histogram({
    name: "ledger_transaction_seconds",
    help: "From handing a transaction over until it is committed",
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  });
  const failures = new Counter({
    name: "ledger_transaction_failures_total",
    help: "Transactions that were made again: overtaken by another process, refused for their data, unavailable",
    labelNames: ["reason"],
    registers,
  });
  const alarms = new Counter({
    name: "ledger_alarms_total",
    help: "Partitions halted because going on would skip or corrupt something; somebody has to look",
    labelNames: ["reason"],
    registers,
  });
  const waits = new Histogram({
    name: "ledger_read_after_seconds",
    help: "How long reads waited for their position",
    labelNames: ["applied"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
    registers,
  });
  gauge("ledger_applied_position", "Offset of the next message to apply", (each) => each.applied);
  gauge("ledger_lag_messages", "Messages in the log that are not applied yet", (each) => each.lagMessages);
  gauge(
    "ledger_lag_seconds",
    "Age of the last entry applied while there are messages after it",
    (each) => each.lagSeconds,
  );
  gauge("ledger_partition_halted", "1 where a partition stands still until somebody looks", (each) => +each.halted);
  return {
    committed(rowCount, entryCount, seconds) {
      rows.inc(rowCount);
      entries.inc(entryCount);
      transactionSeconds.observe(seconds);
    },
    failed: (reason) => failures.inc({ reason }),
    halted: (reason) => alarms.inc({ reason }),
    waited: (seconds, applied) => waits.observe({ applied: String(applied) }, seconds),
  };

  function gauge(name: string, help: string, read: (each: PartitionGauge) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ["partition"],
      registers,
      collect() {
        this.reset();
        for (const each of partitions()) this.set({ partition: each.partition }, read(each));
      },
    });
  }
}
