import { setTimeout as sleep } from "node:timers/promises";
import { type Pool, readBatchTransfers, readOtherShardRows, readShardRows, type ShardRow } from "@coupon/database";
import { type BatchDefinition, shardKey } from "@coupon/domain";
import type { ShardReads } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { CounterDrift } from "../compare-counts.ts";
import { type BatchStock, proveBatches } from "./prove-batches.ts";
import { newProof, proveMissing, proveShard, type ShardProof } from "./prove-shard.ts";
import type { Tallies } from "./tallies.ts";

/** Where the running proof has found one; `shard` is null where a batch's shards don't add up. */
export interface Drift {
  batch: number;
  shard: number | null;
}

export interface ProverOptions {
  pool: Pool;
  reads: ShardReads;
  tallies: Tallies;
  /** The partitions that this process applies now. */
  partitions: () => number[];
  definitionOf: (batch: number) => BatchDefinition | undefined;
  /** From the beginning of one round to that of the next. */
  everyMs: number;
  /** A drift is certain: two rounds in a row have found it. Called once for it. */
  onDrift: (at: Drift, what: string) => void;
  onRound: (seconds: number) => void;
  logger: Logger;
}

/** What the proof says now. */
export interface ProofSummary {
  /** When the last round ended; 0 before the first. */
  asOfMs: number;
  startedAtMs: number;
  shards: ShardProof[];
  batches: BatchStock[];
}

const HEADERS_AT_ONCE = 500;

/**
 * The running proof: every second, of every shard whose partition this process applies, that Redis, the log and
 * PostgreSQL agree. It reads a row and a header of each, and takes the log from the entries as they are applied: no
 * traffic waits for it.
 */
export class Prover {
  readonly #options: ProverOptions;
  readonly #proofs = new Map<string, ShardProof>();
  readonly #told = new Map<string, string>();
  readonly #stopping = new AbortController();
  #batches: BatchStock[] = [];
  /** What the last round said of batches; a drift counts when it is said twice. */
  #suspicions = new Map<number, string>();
  readonly #startedAtMs = Date.now();
  #asOfMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ProverOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  summary(): ProofSummary {
    return {
      asOfMs: this.#asOfMs,
      startedAtMs: this.#startedAtMs,
      shards: [...this.#proofs.values()],
      batches: this.#batches,
    };
  }

  /** Whether the last round found a drift there; a batch's own where `shard` is null. */
  isDrifting({ batch, shard }: Drift): boolean {
    if (shard === null) return this.#batches.some((each) => each.batch === batch && each.drift !== null);
    return this.#proofs.get(shardKey(batch, shard))?.state === "drifting";
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failing = false;
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        await this.round();
        failing = false;
        this.#options.onRound((performance.now() - startedAt) / 1_000);
      } catch (error) {
        // Said once: shards that are not proven show by their age.
        if (!failing) this.#options.logger.warn({ err: error }, "the running proof can't read its stores");
        failing = true;
      }
      const waitMs = Math.max(10, this.#options.everyMs - (performance.now() - startedAt));
      await sleep(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One round over all shards. */
  async round(): Promise<void> {
    const { pool, tallies, partitions, definitionOf } = this.#options;
    const mine = partitions();
    tallies.keepOnly(new Set(mine));
    const books = mine.length === 0 ? [] : await readShardRows(pool, mine);
    this.#keepProofsOf(books, new Set(mine));
    for (let from = 0; from < books.length; from += HEADERS_AT_ONCE) {
      await this.#proveSome(books.slice(from, from + HEADERS_AT_ONCE));
    }
    const whole = await this.#wholeBatches(books, mine);
    const moved = new Set(whole.flatMap(({ batch, debited, credited }) => (debited + credited > 0 ? batch : [])));
    this.#batches = proveBatches(whole, await readBatchTransfers(pool, [...moved]), definitionOf);
    this.#tellBatches();
    this.#asOfMs = Date.now();
  }

  /**
   * All shards of the batches of which the first shard is applied here: whoever applies that proves the batch. Each row of
   * another process's is proven there.
   */
  async #wholeBatches(books: ShardRow[], mine: number[]): Promise<ShardRow[]> {
    const { pool, definitionOf } = this.#options;
    const batches = Map.groupBy(books, ({ batch }) => batch);
    const own = [...batches].filter(([, shards]) => shards.some(({ shard }) => shard === 0));
    const split = own.filter(([batch, shards]) => shards.length !== definitionOf(batch)?.shards);
    const rows = own.flatMap(([, shards]) => shards);
    if (split.length === 0) return rows;
    const others = await readOtherShardRows(
      pool,
      split.map(([batch]) => batch),
      mine,
    );
    return [...rows, ...others];
  }

  async #proveSome(books: ShardRow[]): Promise<void> {
    const headers = await this.#options.reads.headers(books);
    const nowMs = Date.now();
    for (const [index, each] of books.entries()) {
      const key = shardKey(each.batch, each.shard);
      let proof = this.#proofs.get(key);
      if (proof === undefined) {
        proof = newProof(each);
        this.#proofs.set(key, proof);
      }
      const tally = this.#options.tallies.of(each.partition, each.batch, each.shard);
      proveShard(proof, tally, { books: each, header: headers[index] ?? null }, nowMs);
      this.#tell(key, proof);
    }
  }

  #tell(key: string, { state, batch, shard, drifts }: ShardProof): void {
    if (state === "proven") this.#told.delete(key);
    if (state !== "drifting") return;
    const what = drifts.map(describe).join("; ");
    const counters = drifts.map((drift) => `${drift.store} ${drift.counter}`).join("; ");
    if (this.#told.get(key) === counters) return;
    this.#told.set(key, counters);
    this.#options.onDrift({ batch, shard }, what);
  }

  #tellBatches(): void {
    const suspicions = new Map<number, string>();
    for (const { batch, drift } of this.#batches) {
      const key = `batch ${batch}`;
      if (drift === null) {
        this.#told.delete(key);
        continue;
      }
      suspicions.set(batch, drift);
      if (this.#suspicions.get(batch) !== drift || this.#told.get(key) === drift) continue;
      this.#told.set(key, drift);
      this.#options.onDrift({ batch, shard: null }, drift);
    }
    this.#suspicions = suspicions;
  }

  /** A row is never taken back: where one of a partition that is applied here is gone, somebody has taken it. */
  #keepProofsOf(books: ShardRow[], mine: ReadonlySet<number>): void {
    const keys = new Set(books.map(({ batch, shard }) => shardKey(batch, shard)));
    for (const [key, proof] of this.#proofs) {
      if (keys.has(key)) continue;
      if (mine.has(proof.partition)) {
        proveMissing(proof, Date.now());
        this.#tell(key, proof);
      } else this.#proofs.delete(key);
    }
  }
}

function describe({ store, counter, expected, found }: CounterDrift): string {
  return `${store} has ${counter} ${String(found)} where the log has ${String(expected)}`;
}
