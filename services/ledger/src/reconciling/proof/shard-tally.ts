import type { ShardCount } from "@coupon/database";
import { countAfter, type Effect } from "../shard-count.ts";

/** Effects kept of a shard at most; beyond, the oldest are folded into the anchor, and a cut before them can't be had. */
const EFFECTS_MAX = 8_192;

/**
 * What the log says of a shard, at any entry since the last one proven: an anchor (everything counted at one entry)
 * and the effects of the entries after it.
 */
export class ShardTally {
  readonly batch: number;
  readonly shard: number;
  readonly partition: number;
  #anchor: ShardCount | null = null;
  #effects: Effect[] = [];

  constructor(batch: number, shard: number, partition: number) {
    this.batch = batch;
    this.shard = shard;
    this.partition = partition;
  }

  /** Number of the last entry known; -1 where none is. */
  get last(): number {
    return this.#effects.at(-1)?.number ?? this.#anchor?.number ?? -1;
  }

  /** Number of the first entry at which it can be told; -1 where that is none. */
  get first(): number {
    return this.#anchor?.number ?? -1;
  }

  get anchored(): boolean {
    return this.#anchor !== null;
  }

  /** Takes the next entry. One that was taken before changes nothing; one that leaves a gap begins anew. */
  add(effect: Effect): void {
    const { last } = this;
    if (last >= 0 && effect.number <= last) return;
    if (last >= 0 && effect.number !== last + 1) {
      this.#anchor = null;
      this.#effects = [];
    }
    this.#effects.push(effect);
    if (this.#effects.length <= EFFECTS_MAX) return;
    if (this.#anchor === null) this.#effects = this.#effects.slice(EFFECTS_MAX / 2);
    else this.forget((this.#effects[EFFECTS_MAX / 2] as Effect).number);
  }

  /** Begins with what the ledger has at an entry, where nothing is known before; the log alone counts from there. */
  anchorAt(count: ShardCount): void {
    if (this.#anchor !== null) return;
    const after = this.#effects.filter(({ number }) => number > count.number);
    if (after.length > 0 && after[0]?.number !== count.number + 1) return;
    this.#anchor = count;
    this.#effects = after;
  }

  /** Everything counted at an entry; null where that is before the anchor or not known yet. */
  at(number: number): ShardCount | null {
    let count = this.#anchor;
    if (count === null || number < count.number) return null;
    for (const effect of this.#effects) {
      if (effect.number > number) break;
      count = countAfter(count, effect);
    }
    return count.number === number ? count : null;
  }

  /** Moves the anchor up to an entry: what is before it is asked for no more. */
  forget(number: number): void {
    const count = this.at(number);
    if (count === null) return;
    this.#anchor = count;
    this.#effects = this.#effects.filter((effect) => effect.number > number);
  }

  /** Knows nothing any more: the next reading of the ledger's row begins anew. */
  reset(): void {
    this.#anchor = null;
    this.#effects = [];
  }
}
