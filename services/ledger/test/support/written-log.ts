import type { LogMessage } from "@coupon/events";
import type { StoryEntry } from "./shard-story.ts";

/** A partition's log in memory, for tests of the applier that need no broker. */
export class WrittenLog {
  readonly messages: LogMessage[] = [];
  epoch = -1;

  get end(): number {
    return this.messages.length;
  }

  marker(): this {
    this.epoch = this.end;
    const marker = { v: 1, kind: "marker", owner: "test", at: 0 } as const;
    this.messages.push({ ...blank(this.end), marker, text: JSON.stringify(marker) });
    return this;
  }

  /** @param epoch under which it is written, where that is not the last marker's */
  append(entry: StoryEntry, epoch = this.epoch): this {
    this.messages.push({ ...blank(this.end), ...entry, epoch });
    return this;
  }

  from(offset: number, to = this.end): { messages: LogMessage[]; highWatermark: number } {
    return { messages: this.messages.slice(offset, to), highWatermark: this.end };
  }
}

function blank(offset: number): LogMessage {
  return { offset, epoch: null, marker: null, batch: -1, shard: -1, number: -1, kind: "issue", text: "" };
}
