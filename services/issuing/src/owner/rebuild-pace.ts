/** Each holds a connection to PostgreSQL while it runs; the other connections are for openings. */
const REBUILDS_AT_ONCE = 2;
/** While other shards are asked, rebuilds take this part of the time: what they take is lost to those. */
const SHARE_WHILE_ASKED = 0.06;
/** Others count as asked for so long after their last micro-batch. */
const ASKED_WITHIN_MS = 50;
const REST_MS_MAX = 100;

/**
 * How fast shards are rebuilt, and how many at a time. A rebuild would take a whole core of this process, of Redis and
 * of PostgreSQL for as long as it runs: right where nothing else is served, as after Redis lost everything; too much
 * where one shard of many is gone. So between its pieces it looks whether other shards are being asked, and if so rests
 * for a multiple of what the piece took.
 */
export class RebuildPace {
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #restUntilMs = 0;
  #workingSinceMs = 0;

  /** Tells that another shard has had a script call. */
  asked(): void {
    this.#askedAtMs = performance.now();
  }

  /** Runs `work` once fewer than two others run, in the order of asking. */
  async oneOfFew<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= REBUILDS_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    this.#workingSinceMs = performance.now();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Between two pieces of a rebuild: lets the event loop turn, and rests while others are asked. */
  async rest(): Promise<void> {
    const now = performance.now();
    if (now - this.#askedAtMs < ASKED_WITHIN_MS) {
      const workedMs = Math.max(0, now - this.#workingSinceMs);
      const restMs = Math.min(REST_MS_MAX, (workedMs * (1 - SHARE_WHILE_ASKED)) / SHARE_WHILE_ASKED);
      // Shared by all that run, so that two rebuilds don't take twice the part.
      this.#restUntilMs = Math.max(this.#restUntilMs, now) + restMs;
      this.#workingSinceMs = this.#restUntilMs;
      await new Promise((resolve) => setTimeout(resolve, this.#restUntilMs - now));
    } else {
      await new Promise((resolve) => setImmediate(resolve));
      this.#workingSinceMs = performance.now();
    }
  }
}
