import type { Marker } from "@coupon/domain";
import { type EntryAppender, LogUnavailable, type PartitionAppend } from "@coupon/events";
import type { OutgoingEntry, Partition } from "./partition.ts";
import type { Shard } from "./shard.ts";

/** Of one partition in a send: well below what an append may carry (7.5 MiB), so that no send is long on its way. */
const PARTITION_BYTES_MAX = 768 * 1024;

type Appender = Pick<EntryAppender, "append" | "appendMarker">;

export interface SenderHooks {
  /** A shard's entries have been handed to a send: its next script call may start. */
  handedOver(partition: Partition, shard: Shard): void;
  /** The partition can't be trusted any more: it has to be opened again. */
  suspect(partition: Partition, because: string): void;
  sent(entries: number, seconds: number): void;
}

/** The opening that a marker was for is over. */
export class MarkerUnwanted extends Error {}

/**
 * Sends the entries of every partition of this process: one produce in flight, carrying all partitions in
 * number order. An entry counts once its offset is the one right after the partition's last, for then nobody
 * has written since our marker; otherwise, or on a failure, nothing is answered and the partition reopens.
 */
export class Sender {
  readonly #appender: Appender;
  readonly #timeoutMs: number;
  readonly #hooks: SenderHooks;
  readonly #ready = new Set<Partition>();
  readonly #openings: (() => Promise<void>)[] = [];
  #inFlight: Promise<void> | null = null;

  constructor(appender: Appender, timeoutMs: number, hooks: SenderHooks) {
    this.#appender = appender;
    this.#timeoutMs = timeoutMs;
    this.#hooks = hooks;
  }

  enqueue(partition: Partition, entry: OutgoingEntry): void {
    partition.send(entry);
    this.#ready.add(partition);
    this.#inFlight ??= this.#run();
  }

  /**
   * For openings: appends a marker while nothing else is in flight. One that is not wanted any more when its turn comes
   * is not sent, for it would only fence whoever has the partition then.
   *
   * @throws MarkerUnwanted, LogUnavailable
   */
  appendMarker(partition: number, marker: Marker, timeoutMs: number, isWanted: () => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#openings.push(async () => {
        if (isWanted()) await this.#appender.appendMarker(partition, marker, timeoutMs).then(resolve, reject);
        else reject(new MarkerUnwanted(`partition ${partition} was given up before its marker was sent`));
      });
      this.#inFlight ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    // Entries that other shards write in this turn of the event loop travel along.
    await Promise.resolve();
    // By turns: under load there is always something to send, and an opening that waited for none would wait for ever.
    await this.#openings.shift()?.();
    await this.#sendOnce();
    this.#next();
  }

  #next(): void {
    this.#inFlight = this.#ready.size > 0 || this.#openings.length > 0 ? this.#run() : null;
  }

  async #sendOnce(): Promise<void> {
    const load = this.#takeLoad();
    if (load.length === 0) return;
    const startedAt = performance.now();
    try {
      const offsets = await this.#appender.append(load.map(toAppend), this.#timeoutMs);
      const bases = new Map(offsets.map(({ partition, baseOffset }) => [partition, baseOffset]));
      const counted = load.filter((item) => this.#counts(item, bases.get(item.partition.id)));
      this.#hooks.sent(load.length, (performance.now() - startedAt) / 1000);
      // Answering a hundred requests keeps this thread busy for milliseconds: the next send goes out first.
      setImmediate(() => {
        for (const item of counted) answer(item, bases.get(item.partition.id) as number);
      });
    } catch (error) {
      const because = error instanceof LogUnavailable ? error.message : `sending failed unexpectedly: ${error}`;
      for (const { partition, generation } of load) {
        if (partition.generation === generation) this.#hooks.suspect(partition, because);
      }
    }
  }

  #takeLoad(): Load[] {
    const ready = [...this.#ready];
    this.#ready.clear();
    const load: Load[] = [];
    for (const partition of ready) {
      if (partition.phase !== "serving" && partition.phase !== "draining") continue;
      const entries = partition.takeOutgoing(PARTITION_BYTES_MAX);
      if (partition.hasOutgoing) this.#ready.add(partition);
      if (entries.length > 0)
        load.push({ partition, generation: partition.generation, epoch: partition.epoch, entries });
    }
    for (const { partition, entries } of load) {
      for (const { shard } of entries) this.#hooks.handedOver(partition, shard);
    }
    return load;
  }

  /** Whether entries that have been acknowledged count; where they don't, the partition can't be trusted any more. */
  #counts({ partition, generation, entries }: Load, baseOffset: number | undefined): boolean {
    if (partition.generation !== generation) return false;
    if (baseOffset !== partition.lastOffset + 1) {
      partition.overtaken = true;
      this.#hooks.suspect(partition, `the log gave offset ${baseOffset} where ${partition.lastOffset + 1} was due`);
      return false;
    }
    partition.lastOffset = baseOffset + entries.length - 1;
    return true;
  }
}

interface Load {
  partition: Partition;
  generation: number;
  epoch: number;
  entries: OutgoingEntry[];
}

function answer({ partition, generation, entries }: Load, baseOffset: number): void {
  if (partition.generation !== generation) return;
  entries.forEach(({ shard, number }, index) => {
    shard.becameDurable(number, baseOffset + index, partition.id);
  });
}

function toAppend({ partition, epoch, entries }: Load): PartitionAppend {
  return {
    partition: partition.id,
    epoch,
    entries: entries.map(({ shard, number, kind, text }) => ({ ...shard.address, number, kind, text })),
  };
}
