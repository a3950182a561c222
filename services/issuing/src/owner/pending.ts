import type { Answer, Done, NoOutcome, Operation } from "./operation.ts";

/** An operation on its way through a shard, from the queue to its answer. Settles exactly once. */
export class Pending {
  readonly operation: Operation;
  readonly arrivedAtMs: number;
  /** Set once a script call may have applied it: from then on a failure leaves its outcome unknown. */
  attempted = false;
  /** Serial that an earlier attempt of this very request issued; its replay is still a first answer. */
  issuedSerial = -1;
  /** Its coupon's record has been looked up in the ledger already. */
  warmed = false;
  settled = false;
  readonly #settle: (answer: Answer) => void;

  constructor(operation: Operation, arrivedAtMs: number, settle: (answer: Answer) => void) {
    this.operation = operation;
    this.arrivedAtMs = arrivedAtMs;
    this.#settle = settle;
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
    this.#settle(answer);
  }
}
