export interface RefusalPaceSettings<Held> {
  /** Refusals that may be answered for each request that was served. */
  perServed: number;
  /** Refusals that may be answered at once after a quiet time. */
  burst: number;
  /** Nobody waits longer for a refusal; 0 answers every one at once. */
  holdMsMax: number;
  /** Refusals that are held at most; beyond it the oldest is answered. */
  heldMax: number;
  answer(held: Held): void;
}

/**
 * Answers refusals at a pace, so that they can't eat up what serving needs: reading and refusing a request costs about
 * a third of serving a claim, so at five times the peak the refusals alone would take more than the whole process. A
 * refusal within the pace goes out at once. Beyond it the answer is held, for a bounded time, and with it the
 * connection: whoever sends too much can't send the next request on it. This is how Kafka's brokers enforce quotas
 * (KIP-124 and KIP-219: the response is delayed and the channel muted).
 */
export class RefusalPace<Held> {
  readonly #settings: RefusalPaceSettings<Held>;
  #allowed: number;
  /** A queue: what is before `#head` has been answered. */
  #held: Held[] = [];
  #since: number[] = [];
  #head = 0;

  constructor(settings: RefusalPaceSettings<Held>) {
    this.#settings = settings;
    this.#allowed = settings.burst;
  }

  get held(): number {
    return this.#held.length - this.#head;
  }

  refuse(one: Held, nowMs: number): void {
    const { holdMsMax, heldMax, answer } = this.#settings;
    if (holdMsMax === 0) answer(one);
    else if (this.held === 0 && this.#allowed >= 1) {
      this.#allowed -= 1;
      answer(one);
    } else {
      this.#held.push(one);
      this.#since.push(nowMs);
      if (this.held > heldMax) this.#answerOldest();
    }
  }

  /** A request was served: some refusal may go out for it. */
  served(): void {
    this.#allowed = Math.min(this.#settings.burst, this.#allowed + this.#settings.perServed);
    while (this.#allowed >= 1 && this.held > 0) {
      this.#allowed -= 1;
      this.#answerOldest();
    }
  }

  /** Answers what has been held for the longest time allowed. */
  expire(nowMs: number): void {
    const before = nowMs - this.#settings.holdMsMax;
    while (this.held > 0 && (this.#since[this.#head] as number) <= before) this.#answerOldest();
  }

  answerAll(): void {
    while (this.held > 0) this.#answerOldest();
  }

  #answerOldest(): void {
    const oldest = this.#held[this.#head] as Held;
    this.#head += 1;
    if (this.#head * 2 > this.#held.length) {
      this.#held = this.#held.slice(this.#head);
      this.#since = this.#since.slice(this.#head);
      this.#head = 0;
    }
    this.#settings.answer(oldest);
  }
}
