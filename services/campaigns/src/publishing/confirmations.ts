/** What an owner says once a shard's rules entry is durable. */
export interface RulesReport {
  batchId: string;
  version: number;
  shard: number;
  shards: number;
  /**
   * Stock that the shard could not give back, and that no other shard had to spare: all together have issued more than
   * the version's total. A shard that gets it from another one reports only when it has.
   */
  shortBy: number;
}

/** What a shard could not give back, and the version that asked for it. */
export interface Shortage {
  version: number;
  shortBy: number;
}

/** A version that every shard of a batch has in force, or a newer one. */
export interface InForce {
  batchId: string;
  version: number;
  /** The last one of every shard that had one. */
  shortages: readonly Shortage[];
}

/** Stock that all shards together could not give back since a version. */
export function shortSince({ shortages }: InForce, version: number): number {
  return shortages.reduce((sum, shortage) => (shortage.version >= version ? sum + shortage.shortBy : sum), 0);
}

interface Progress {
  versions: Float64Array;
  shortages: Map<number, Shortage>;
  /** Oldest version among the shards: this one, or a newer one, is in force on all. */
  oldest: number;
}

interface Waiter {
  version: number;
  settle: (inForce: InForce | null) => void;
}

/** Batches whose progress is kept; beyond, the one that was silent for longest is forgotten. */
const BATCHES_MAX = 2_000;

/**
 * Follows which version of which batch is in force on which shard, and tells who waits. Shards jump to the
 * newest version that they see, so a version counts as in force where a newer one is.
 */
export class Confirmations {
  readonly #progress = new Map<string, Progress>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #onInForce: (inForce: InForce) => void;

  /** @param onInForce called whenever a newer version has come into force on all shards of a batch */
  constructor(onInForce: (inForce: InForce) => void) {
    this.#onInForce = onInForce;
  }

  report(report: RulesReport): void {
    const { batchId, shard, version, shortBy } = report;
    const progress = this.#progressOf(report);
    if (shard >= progress.versions.length) return;
    progress.versions[shard] = Math.max(progress.versions[shard] as number, version);
    // Issues are never undone: what was short for a version stays so, whoever confirms it again.
    if (shortBy > 0) progress.shortages.set(shard, { version, shortBy });
    const oldest = progress.versions.reduce((least, each) => Math.min(least, each));
    if (oldest <= progress.oldest) return;
    progress.oldest = oldest;
    const inForce = describe(batchId, progress);
    this.#tell(inForce);
    this.#onInForce(inForce);
  }

  /**
   * Waits until a version, or a newer one, is in force on every shard; null where it is not in time.
   *
   * @param timeoutMs longest wait in milliseconds
   */
  wait(batchId: string, version: number, timeoutMs: number): Promise<InForce | null> {
    const known = this.inForce(batchId);
    if (known !== null && known.version >= version) return Promise.resolve(known);
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(batchId) ?? new Set();
      this.#waiters.set(batchId, waiters);
      const settle = (inForce: InForce | null) => {
        clearTimeout(timer);
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(batchId);
        resolve(inForce);
      };
      const waiter = { version, settle };
      const timer = setTimeout(settle, timeoutMs, null);
      waiters.add(waiter);
    });
  }

  /** What is known to be in force on every shard of a batch; null where nothing is. */
  inForce(batchId: string): InForce | null {
    const progress = this.#progress.get(batchId);
    return progress === undefined || progress.oldest === 0 ? null : describe(batchId, progress);
  }

  /** Forgets a batch whose shards all have the one version that is now on record. */
  forget(batchId: string, version: number): void {
    const progress = this.#progress.get(batchId);
    if (progress?.versions.every((each) => each === version)) this.#progress.delete(batchId);
  }

  /** Ends every wait, unconfirmed. */
  stop(): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.settle(null);
  }

  #progressOf({ batchId, shards }: RulesReport): Progress {
    const known = this.#progress.get(batchId);
    if (known !== undefined && known.versions.length === shards) {
      // Put at the end again: the map's order is that of silence.
      this.#progress.delete(batchId);
      this.#progress.set(batchId, known);
      return known;
    }
    const progress = { versions: new Float64Array(shards), shortages: new Map<number, Shortage>(), oldest: 0 };
    this.#progress.set(batchId, progress);
    if (this.#progress.size > BATCHES_MAX) {
      const [silent] = this.#progress.keys();
      if (silent !== undefined) this.#progress.delete(silent);
    }
    return progress;
  }

  #tell(inForce: InForce): void {
    for (const waiter of this.#waiters.get(inForce.batchId) ?? []) {
      if (inForce.version >= waiter.version) waiter.settle(inForce);
    }
  }
}

function describe(batchId: string, { oldest, shortages }: Progress): InForce {
  return { batchId, version: oldest, shortages: [...shortages.values()] };
}
