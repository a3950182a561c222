/** What one look at one thing found: figures by name. */
export type Figures = Partial<Record<FigureName, number>>;

export type FigureName =
  /** Memory in RAM (`VmRSS`); of PostgreSQL what its processes have each for itself (`RssAnon`, summed). */
  | "resident"
  /** Heap that is still in use after a garbage collection. */
  | "heap"
  /** Memory outside the heap that its objects hold: buffers. */
  | "external"
  | "descriptors"
  /** Open sockets; of Redis and PostgreSQL their clients. */
  | "connections"
  /** Timers that wait. */
  | "timers"
  /** All else that the event loop waits for, but sockets. */
  | "handles"
  /** Entries in the longest outbox of a shard. */
  | "outbox"
  /** Messages of the log that the ledger has not applied. */
  | "lag"
  /** 99th percentile of the calls since the last look, in milliseconds. */
  | "p99";

/** One look at everything. */
export interface Sample {
  /** Since the load began. */
  seconds: number;
  /** Coupons that the callers have been given so far. */
  coupons: number;
  /** By process, and `platform` for what is nobody's alone. */
  figures: Record<string, Figures>;
}
