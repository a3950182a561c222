import { LogUnavailable } from "./errors.ts";
import type { LogMessage } from "./headers.ts";

/** Bytes that may wait for the taker before fetching is held. */
const AHEAD_BYTES_MAX = 8 * 1024 * 1024;

/** A range that is being read: what has been fetched and not been taken yet. */
export class RangeRead {
  readonly partition: number;
  readonly to: number;
  readonly #onFlow: (behind: boolean) => void;
  readonly #chunks: { messages: LogMessage[]; bytes: number }[] = [];
  #waitingBytes = 0;
  #held = false;
  #error: Error | null = null;
  #wake: () => void = () => {};
  /** Offset of the next message to be fetched. */
  expected: number;
  timedOut = false;

  /** @param onFlow called with true when the taker falls behind, with false when it has caught up */
  constructor(partition: number, from: number, to: number, onFlow: (behind: boolean) => void) {
    this.partition = partition;
    this.expected = from;
    this.to = to;
    this.#onFlow = onFlow;
  }

  get complete(): boolean {
    return this.expected >= this.to;
  }

  /** Adds the messages that begin at `expected`. */
  put(messages: LogMessage[], bytes: number): void {
    this.expected += messages.length;
    this.#chunks.push({ messages, bytes });
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > AHEAD_BYTES_MAX && !this.#held) {
      this.#held = true;
      this.#onFlow(true);
    }
    this.#wake();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /**
   * The next messages, or null at the end of the range.
   * @throws LogUnavailable where none come within `timeoutMs`, and whatever `fail` was told
   */
  async next(timeoutMs: number): Promise<LogMessage[] | null> {
    if (this.#chunks.length === 0 && !this.complete && this.#error === null) await this.#arrival(timeoutMs);
    if (this.#error !== null) throw this.#error;
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return null;
    this.#waitingBytes -= chunk.bytes;
    if (this.#held && this.#waitingBytes <= AHEAD_BYTES_MAX / 2) {
      this.#held = false;
      this.#onFlow(false);
    }
    return chunk.messages;
  }

  async #arrival(timeoutMs: number): Promise<void> {
    const late = new LogUnavailable(
      `partition ${this.partition} gave nothing from offset ${this.expected} on within ${timeoutMs} ms`,
    );
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.timedOut = true;
        this.fail(late);
      }, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
