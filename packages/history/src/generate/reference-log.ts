import { hash } from "node:crypto";
import type { EntryKind } from "@coupon/domain";
import type { LogEntry } from "../history.ts";
import type { Random } from "./random.ts";
import type { ReferenceShard } from "./reference-shard.ts";

/** The log of the reference platform, with what zombies and re-sends leave in a real one. */
export class ReferenceLog {
  readonly messages: LogEntry[][];
  readonly epochs: number[];
  readonly #random: Random;

  constructor(partitions: number, random: Random) {
    this.messages = Array.from({ length: partitions }, () => []);
    this.epochs = Array.from({ length: partitions }, () => -1);
    this.#random = random;
    for (let partition = 0; partition < partitions; partition += 1) this.#marker(partition);
  }

  /** Writes a shard's next entry so that it counts, and answers its offset. */
  append(shard: ReferenceShard, atMs: number, kind: EntryKind, body: object): number {
    const { batch, shard: index } = shard.address;
    const number = shard.number + 1;
    const text = JSON.stringify({ v: 1, batch, shard: index, number, at: atMs, prev: shard.hash, kind, ...body });
    const message = { batch, shard: index, number, kind, text };
    const { partition } = shard;
    if (this.#random.chance(0.002)) {
      // An owner writes, another has taken over: the entry counts where it is sent again.
      const old = this.epochs[partition] as number;
      this.#marker(partition);
      this.#write(partition, { ...message, epoch: old, marker: null });
    }
    const offset = this.#write(partition, { ...message, epoch: this.epochs[partition] as number, marker: null });
    if (this.#random.chance(0.002)) {
      this.#marker(partition);
      this.#write(partition, { ...message, epoch: this.epochs[partition] as number, marker: null });
    }
    shard.number = number;
    shard.hash = hash("sha1", text, "hex");
    shard.atMs = atMs;
    shard.durableOffset = offset;
    return offset;
  }

  #marker(partition: number): void {
    const marker = { v: 1, kind: "marker", owner: "reference", at: 0 } as const;
    const message = {
      epoch: null,
      batch: -1,
      shard: -1,
      number: -1,
      kind: "issue" as const,
      text: JSON.stringify(marker),
    };
    this.epochs[partition] = this.#write(partition, { ...message, marker });
  }

  #write(partition: number, message: Omit<LogEntry, "partition" | "offset">): number {
    const messages = this.messages[partition] as LogEntry[];
    const offset = messages.length;
    messages.push({ partition, offset, ...message });
    return offset;
  }
}
