import { setTimeout as sleep } from "node:timers/promises";
import {
  createPositions,
  isRefusedByData,
  type PartitionStanding,
  type Pool,
  PositionMoved,
  readPartition,
  writeEntries,
} from "@coupon/database";
import type { Entry } from "@coupon/domain";
import type { LogMessage } from "@coupon/events";
import type { TermsSource } from "../posting/terms.ts";
import { EntryUnfit, type HaltReason, Lane, type Stretch } from "./lane.ts";
import { LedgerRows } from "./ledger-rows.ts";
import { Signal } from "./pace.ts";

export interface ApplierOptions {
  pool: Pool;
  /**
   * Transactions made ready or under way at once. Those of different partitions run side by side, so the
   * pool should have one connection more.
   */
  transactionsMax: number;
  /** Rows and bytes of entries after which a transaction is large enough. */
  rowsMax: number;
  bytesMax: number;
  /** How long small work is left to gather: fewer, larger transactions cost less. */
  gatherMs: number;
  /**
   * How long a caught-up log is left alone between two fetches, for the same reason: so long where little came since
   * the last rest, up to the greatest where much did.
   */
  restMs: { least: number; greatest: number };
  /** The terms of batches. An entry of a batch that has none there waits, with its partition. */
  terms: TermsSource;
  /** How long it waits until that is an alarm, and holds up nothing but its partition. */
  termsWaitMs: number;
  observer: ApplierObserver;
  /** Is told every entry that counts, before it is committed. */
  onEntry?: (partition: number, entry: Entry, hash: string) => void;
}

/** What becomes of the work, for metrics, logs and reads that wait. */
export interface ApplierObserver {
  committed(work: { stretches: Stretch[]; rows: number; entries: number; seconds: number }): void;
  /** A transaction failed and will be made again from what PostgreSQL has. */
  failed(error: unknown): void;
  halted(lane: Lane): void;
  /** What comes next is not at hand: the log has to be read again from what PostgreSQL has. */
  lost(lane: Lane): void;
}

/** Texts queued for a partition above which the log has to wait. */
const QUEUE_BYTES_MAX = 1024 * 1024;
/**
 * Bytes since the last rest that make the next one the longest. At 11,000 redemptions a second a rest of 100 ms instead
 * of 20 made a redemption 12 µs of processor time cheaper, in the ledger, PostgreSQL and Kafka together.
 */
const REST_BYTES = 64 * 1024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;

/**
 * Applies the partitions that the log hands over, each in order, several in one transaction. While one
 * transaction is being written the next is parsed and put together. A failure of any kind ends in the same
 * place: the partitions concerned go back to what PostgreSQL has, and on from there.
 */
export class Applier {
  readonly #options: ApplierOptions;
  readonly #lanes = new Map<number, Lane>();
  readonly #work = new Signal();
  readonly #room = new Signal();
  readonly #stopping = new AbortController();
  readonly #spare: LedgerRows[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #roomers = new Set<() => void>();
  #turn = 0;
  #failures = 0;
  #restedAtMs = 0;
  #bytesSinceRest = 0;
  #running: Promise<void> | null = null;

  constructor(options: ApplierOptions) {
    this.#options = options;
    for (let n = 0; n < options.transactionsMax; n++) this.#spare.push(new LedgerRows(options.terms));
  }

  get lanes(): ReadonlyMap<number, Lane> {
    return this.#lanes;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Lets whoever hands messages over go on at once, so that the log's consumer can be stopped. */
  letGo(): void {
    this.#stopping.abort();
    this.#letOn();
  }

  /** Ends what is under way; what is only queued is read from the log again by whoever comes next. */
  async stop(): Promise<void> {
    this.letGo();
    this.#work.raise();
    this.#room.raise();
    await this.#running;
    await Promise.all(this.#underWay);
  }

  /**
   * Where a partition, newly assigned, is to be read from.
   *
   * @throws the database's error
   */
  async positionOf(partition: number): Promise<number> {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      lane = new Lane(partition, (batch) => this.#options.terms.of(batch) !== undefined, this.#options.onEntry);
      this.#lanes.set(partition, lane);
    }
    lane.ready = false;
    lane.assignment += 1;
    const { assignment } = lane;
    await lane.last;
    await createPositions(this.#options.pool, [partition]);
    const standing = await readPartition(this.#options.pool, partition);
    // A later call has told the log where to go on, and may have queued what came from there.
    if (lane.assignment !== assignment) throw new Error(`partition ${partition} has been assigned anew`);
    lane.reset(standing, []);
    this.#letOn();
    return standing.position;
  }

  /** Stops applying a partition until it is assigned again, and raises the alarm. */
  halt(partition: number, reason: HaltReason, detail: string): void {
    const lane = this.#lanes.get(partition);
    if (lane !== undefined) this.#halt(lane, reason, detail);
  }

  /** Terms of a batch have become known: what waits for them goes on, what waited too long is read again. */
  termsKnown(): void {
    this.#work.raise();
    for (const lane of this.#lanes.values()) {
      const { halt, awaiting } = lane;
      if (halt?.reason !== "terms" || awaiting === null || this.#options.terms.of(awaiting) === undefined) continue;
      lane.awaiting = null;
      this.#options.observer.lost(lane);
    }
  }

  /** Takes messages over. Resolves when the next may come: never because these are applied. */
  async accept(batch: { partition: number; messages: LogMessage[]; highWatermark: number }): Promise<void> {
    const lane = this.#lanes.get(batch.partition);
    if (lane === undefined) throw new Error(`partition ${batch.partition} was never positioned`);
    lane.end = Math.max(lane.end, batch.highWatermark);
    lane.enqueue(batch.messages);
    for (const { text } of batch.messages) this.#bytesSinceRest += text.length;
    this.#work.raise();
    const behind = batch.highWatermark - (batch.messages.at(-1)?.offset ?? 0) > 1;
    await this.#letLogWait(lane, behind);
  }

  async #letLogWait(lane: Lane, behind: boolean): Promise<void> {
    const { signal } = this.#stopping;
    while (lane.queuedBytes > QUEUE_BYTES_MAX && lane.halt === null && !signal.aborted) {
      await new Promise<void>((resolve) => this.#roomers.add(resolve));
    }
    const now = performance.now();
    const { least, greatest } = this.#options.restMs;
    const restMs = least + (greatest - least) * Math.min(1, this.#bytesSinceRest / REST_BYTES);
    if (behind || now - this.#restedAtMs < restMs || signal.aborted) return;
    // One partition's rest holds up the whole next fetch, so the others go on at once.
    this.#restedAtMs = now;
    this.#bytesSinceRest = 0;
    await sleep(restMs, undefined, { signal }).catch(() => {});
  }

  #letOn(): void {
    for (const resolve of this.#roomers) resolve();
    this.#roomers.clear();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#work.wait();
      if (this.#takeable().length === 0) continue;
      if (this.#queuedBytes() < this.#options.bytesMax) await this.#rest(this.#options.gatherMs);
      while (this.#spare.length === 0 && !signal.aborted) await this.#room.wait();
      if (signal.aborted) return;
      this.#next();
      if (this.#takeable().length > 0) this.#work.raise();
    }
  }

  async #rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  #takeable(): Lane[] {
    return [...this.#lanes.values()].filter((lane) => lane.takeable);
  }

  #queuedBytes(): number {
    return this.#takeable().reduce((sum, lane) => sum + lane.queuedBytes, 0);
  }

  /** Puts the next transaction together and sends it on its way. */
  #next(): void {
    const rows = this.#spare.pop() as LedgerRows;
    rows.clear();
    const stretches: Stretch[] = [];
    for (const lane of this.#inTurn()) {
      if (rows.rows >= this.#options.rowsMax) break;
      const { single } = lane;
      if (single && stretches.length > 0) continue;
      const outcome = this.#take(lane, rows);
      if (outcome instanceof EntryUnfit) {
        this.#spare.push(rows);
        this.#spoilt(stretches, lane, outcome);
        return;
      }
      if (outcome !== null) stretches.push(outcome);
      if (lane.halt !== null) this.#options.observer.halted(lane);
      if (single) break;
    }
    this.#letOn();
    if (stretches.length === 0) this.#spare.push(rows);
    else this.#send(rows, stretches);
  }

  /** Lanes with nothing under way come first, so that transactions run side by side. */
  #inTurn(): Lane[] {
    const lanes = this.#takeable().toSorted((a, b) => a.partition - b.partition);
    const at = lanes.findIndex((lane) => lane.partition > this.#turn);
    const inTurn = at < 0 ? lanes : [...lanes.slice(at), ...lanes.slice(0, at)];
    this.#turn = inTurn[0]?.partition ?? 0;
    return [...inTurn.filter((lane) => !lane.busy), ...inTurn.filter((lane) => lane.busy)];
  }

  #take(lane: Lane, rows: LedgerRows): Stretch | null | EntryUnfit {
    try {
      const waited = lane.awaiting;
      const stretch = lane.take(rows, this.#options.rowsMax, this.#options.bytesMax);
      if (lane.awaiting !== null && lane.awaiting !== waited) void this.#awaitTerms(lane, lane.awaiting);
      return stretch;
    } catch (error) {
      if (error instanceof EntryUnfit) return error;
      throw error;
    }
  }

  /** An entry can't be applied: alone in its transaction it halts the partition, else it will be alone next time. */
  #spoilt(stretches: Stretch[], lane: Lane, error: EntryUnfit): void {
    const alone = stretches.length === 0 && lane.unapplied()[0]?.offset === lane.singleUntil - 1;
    if (alone) {
      this.#halt(lane, error.reason, error.message);
      return;
    }
    for (const each of new Set([...stretches.map((stretch) => stretch.lane), lane])) void this.#goBack(each);
  }

  /** Gives the terms of a batch their time; after it the partition halts, so that others need not wait with it. */
  async #awaitTerms(lane: Lane, batch: number): Promise<void> {
    const { generation } = lane;
    await this.#rest(this.#options.termsWaitMs);
    const waiting = lane.awaiting === batch && lane.generation === generation && !lane.takeable;
    if (!waiting || this.#stopping.signal.aborted) return;
    this.#halt(lane, "terms", `the terms of batch ${batch} are not known after ${this.#options.termsWaitMs} ms`);
  }

  #halt(lane: Lane, reason: HaltReason, detail: string): void {
    lane.halt = { reason, detail };
    this.#options.observer.halted(lane);
    this.#letOn();
  }

  #send(rows: LedgerRows, stretches: Stretch[]): void {
    const before = stretches.map((stretch) => stretch.lane.last);
    const entries = rows.entries;
    const startedAt = performance.now();
    const written = Promise.all(before).then(() => writeEntries(this.#options.pool, rows.write()));
    const settled = written.then(
      () => {
        this.#failures = 0;
        rows.committed();
        for (const stretch of stretches) if (isCurrent(stretch)) stretch.lane.committed(stretch);
        const seconds = (performance.now() - startedAt) / 1_000;
        this.#options.observer.committed({ stretches, rows: rows.rows, entries, seconds });
      },
      (error: unknown) => this.#fail(stretches, error),
    );
    for (const stretch of stretches) stretch.lane.last = written.catch(() => {});
    const done = settled.finally(() => {
      this.#underWay.delete(done);
      this.#spare.push(rows);
      this.#room.raise();
      this.#work.raise();
    });
    this.#underWay.add(done);
  }

  #fail(stretches: Stretch[], error: unknown): void {
    this.#options.observer.failed(error);
    this.#failures += 1;
    const lanes = stretches.filter(isCurrent).map((stretch) => stretch.lane);
    if (isRefusedByData(error)) {
      const [only] = stretches;
      if (stretches.length === 1 && only?.messages.length === 1 && isCurrent(only)) {
        this.#halt(only.lane, "refused", `offset ${only.from}: ${(error as Error).message}`);
        return;
      }
      for (const stretch of stretches) stretch.lane.singleUntil = Math.max(stretch.lane.singleUntil, stretch.to);
    }
    for (const lane of lanes) void this.#goBack(lane);
  }

  /** Back to what PostgreSQL has, for as long as it takes to be told. */
  async #goBack(lane: Lane): Promise<void> {
    if (!lane.ready) return;
    lane.ready = false;
    lane.generation += 1;
    const { generation } = lane;
    await lane.last;
    while (!this.#stopping.signal.aborted && lane.generation === generation) {
      await this.#rest(this.#failures <= 1 ? 0 : Math.min(RETRY_MS_MIN * 2 ** this.#failures, RETRY_MS_MAX));
      try {
        const standing = await readPartition(this.#options.pool, lane.partition);
        if (lane.generation === generation) this.#resume(lane, standing);
        return;
      } catch (error) {
        this.#failures += 1;
        this.#options.observer.failed(error);
      }
    }
  }

  #resume(lane: Lane, standing: PartitionStanding): void {
    const messages = lane.unapplied().filter((message) => message.offset >= standing.position);
    const next = messages[0]?.offset ?? lane.received;
    lane.reset(standing, messages);
    if (standing.position < next) {
      lane.ready = false;
      this.#options.observer.lost(lane);
    }
    this.#letOn();
    this.#work.raise();
  }
}

function isCurrent(stretch: Stretch): boolean {
  return stretch.generation === stretch.lane.generation;
}

/** Whether a failure is only that another ledger, or this one before, was faster. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof PositionMoved;
}
