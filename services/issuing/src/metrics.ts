import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Admission } from "./overload/admission.ts";
import type { OperationName } from "./owner/operation.ts";

export interface IssuingMetrics {
  batch(name: OperationName, size: number): void;
  sent(entries: number, seconds: number): void;
  reopened(): void;
  opened(seconds: number): void;
  rebuilt(seconds: number): void;
}

/** Everything that issuing measures beside its requests. `owned` and `pending` are read when scraped. */
export function createIssuingMetrics(
  registry: Registry,
  read: {
    partitionsServing(): number;
    /** Shards of the partitions that serve which don't. */
    shardsWaiting(): Record<"waiting" | "rebuilding", number>;
    pending(): number;
    /** Partitions by how near the ledger's lag has come to the log's retention. */
    retention(): Record<"near" | "stops_new" | "stops_all", number>;
    ledgerUnknownSeconds(): number;
    admission(): Pick<Admission<never>, "limit" | "inFlight" | "held" | "refused">;
  },
): IssuingMetrics {
  const registers = [registry];
  const batchSize = new Histogram({
    name: "issuing_micro_batch_size",
    help: "Operations applied by one script call",
    labelNames: ["operation"],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers,
  });
  const entriesSent = new Counter({
    name: "issuing_entries_sent_total",
    help: "Entries made durable in the log",
    registers,
  });
  const sendSeconds = new Histogram({
    name: "issuing_send_seconds",
    help: "From handing entries to the log until they are durable",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  const reopened = new Counter({
    name: "issuing_partition_reopened_total",
    help: "Partitions opened again because Redis or the log was not as expected",
    registers,
  });
  const openSeconds = new Histogram({
    name: "issuing_partition_open_seconds",
    help: "From taking a partition until it serves",
    buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  });
  const rebuildSeconds = new Histogram({
    name: "issuing_shard_rebuild_seconds",
    help: "Time to build a shard anew from PostgreSQL",
    buckets: [0.1, 0.5, 1, 5, 10, 30, 60, 300],
    registers,
  });
  new Gauge({
    name: "issuing_partitions_serving",
    help: "Partitions that this process owns and serves",
    registers,
    collect() {
      this.set(read.partitionsServing());
    },
  });
  new Gauge({
    name: "issuing_shards_waiting",
    help: "Shards that don't serve while their partition does: still being opened, or built anew from PostgreSQL",
    labelNames: ["standing"],
    registers,
    collect() {
      for (const [standing, count] of Object.entries(read.shardsWaiting())) this.set({ standing }, count);
    },
  });
  new Gauge({
    name: "issuing_operations_pending",
    help: "Operations accepted and not answered yet",
    registers,
    collect() {
      this.set(read.pending());
    },
  });
  new Gauge({
    name: "issuing_retention_partitions",
    help: "Partitions in which the ledger's lag is near the log's retention, and what is refused there because of it",
    labelNames: ["level"],
    registers,
    collect() {
      for (const [level, count] of Object.entries(read.retention())) this.set({ level }, count);
    },
  });
  new Gauge({
    name: "issuing_ledger_unknown_seconds",
    help: "For how long nobody could say where the ledger stands",
    registers,
    collect() {
      this.set(read.ledgerUnknownSeconds());
    },
  });
  addAdmissionMetrics(registers, read.admission);
  return {
    batch: (name, size) => batchSize.observe({ operation: name }, size),
    sent(entries, seconds) {
      entriesSent.inc(entries);
      sendSeconds.observe(seconds);
    },
    reopened: () => reopened.inc(),
    opened: (seconds) => openSeconds.observe(seconds),
    rebuilt: (seconds) => rebuildSeconds.observe(seconds),
  };
}

function addAdmissionMetrics(
  registers: Registry[],
  admission: () => Pick<Admission<never>, "limit" | "inFlight" | "held" | "refused">,
): void {
  new Gauge({
    name: "issuing_admission_limit",
    help: "Requests that may be under way at once, as the adaptive limit stands",
    registers,
    collect() {
      this.set(admission().limit);
    },
  });
  new Gauge({
    name: "issuing_admission_in_flight",
    help: "Requests under way",
    registers,
    collect() {
      this.set(admission().inFlight);
    },
  });
  new Gauge({
    name: "issuing_admission_refusals_held",
    help: "Refusals whose answer is held back, and their connections with it",
    registers,
    collect() {
      this.set(admission().held);
    },
  });
  new Counter({
    name: "issuing_admission_refused_total",
    help: "Requests refused as overloaded before their signature was looked at, by class",
    labelNames: ["class"],
    registers,
    collect() {
      this.reset();
      for (const [name, count] of Object.entries(admission().refused)) this.inc({ class: name }, count);
    },
  });
}
