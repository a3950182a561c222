import type { Answer, Done, NoOutcome, Operation } from "./operation.ts";

/** A record that is read and found changed so often is not one that others are merely using, too. */
const ASKS_MAX = 20;

/** An operation on its way through a shard, from the queue to its answer. Settles exactly once. */
export class Pending {
  readonly operation: Operation;
  readonly arrivedAtMs: number;
  /** What an attempt of this very request has done (a serial, a time of reversal); its replay is a first answer. */
  didFirst = -1;
  /** Its coupon's record has been looked up in the ledger already. */
  warmed = false;
  /** Whose that coupon is, as the ledger has it; null where it was not asked, or knows of no such coupon. */
  userOnRecord: string | null = null;
  settled = false;
  #attempted = false;
  #attemptedBefore = false;
  #asks = 0;
  readonly #unsettled: { count: number };
  readonly #settle: (answer: Answer) => void;

  /** Counts itself in `unsettled` until it settles. */
  constructor(
    operation: Operation,
    arrivedAtMs: number,
    unsettled: { count: number },
    settle: (answer: Answer) => void,
  ) {
    this.operation = operation;
    this.arrivedAtMs = arrivedAtMs;
    this.#unsettled = unsettled;
    this.#settle = settle;
    unsettled.count += 1;
  }

  /** Whether a script call may have applied it: a failure leaves its outcome unknown then. */
  get attempted(): boolean {
    return this.#attempted;
  }

  /** A script call is made that may apply it. */
  attempt(): void {
    this.#attemptedBefore = this.#attempted;
    this.#attempted = true;
  }

  /** The last script call has said that it did nothing; what an earlier one may have done is left open. */
  didNothing(): void {
    this.#attempted = this.#attemptedBefore;
  }

  /** Whether the script may be asked once more because the record had changed since it was read. */
  asksAgain(): boolean {
    this.#asks += 1;
    return this.#asks < ASKS_MAX;
  }

  done(done: Done): void {
    this.#once(done);
  }

  fail(answer: NoOutcome): void {
    this.#once(answer);
  }

  #once(answer: Answer): void {
    if (this.settled) return;
    this.settled = true;
    this.#unsettled.count -= 1;
    this.#settle(answer);
  }
}
