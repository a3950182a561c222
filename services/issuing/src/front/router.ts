import { partitionOf } from "@coupon/domain";
import type { LeaseKeeper } from "../owner/leases.ts";
import type { Answer, Operation, OperationName } from "../owner/operation.ts";
import type { Owner } from "../owner/owner.ts";
import type { Forwarder } from "./forwarder.ts";

export interface RouterResources {
  owner: Owner | null;
  leases: LeaseKeeper;
  forwarder: Forwarder;
  partitions: number;
  deadlineMs: number;
  patienceMs: number;
}

const RETRY_DELAY_MS = 20;

/**
 * Brings an operation to the owner of its shard: this process, or another one by a forwarded micro-batch.
 * Where nobody owns the shard just now it waits, as long as its patience lasts.
 */
export class Router {
  readonly #resources: RouterResources;

  constructor(resources: RouterResources) {
    this.#resources = resources;
  }

  submit<Name extends OperationName>(operation: Extract<Operation, { op: Name }>): Promise<Answer<Name>> {
    return new Promise((resolve) => {
      this.#ask(operation, performance.now(), (answer) => resolve(answer as Answer<Name>));
    });
  }

  /** As `submit` for many operations at once; answers come in their order, when the last is there. */
  submitAll<Name extends OperationName>(
    operations: readonly Extract<Operation, { op: Name }>[],
  ): Promise<Answer<Name>[]> {
    const startedAt = performance.now();
    const answers: Answer<Name>[] = new Array(operations.length);
    let open = operations.length;
    return new Promise((resolve) => {
      if (open === 0) resolve(answers);
      for (let index = 0; index < operations.length; index += 1) {
        this.#ask(operations[index] as Operation, startedAt, (answer) => {
          answers[index] = answer as Answer<Name>;
          open -= 1;
          if (open === 0) resolve(answers);
        });
      }
    });
  }

  #ask(operation: Operation, startedAt: number, settle: (answer: Answer) => void): void {
    const { owner, partitions, deadlineMs } = this.#resources;
    const partition = partitionOf(operation.batch, operation.shard, partitions);
    const again = (attempted: boolean): void => {
      this.#again(partition, operation, startedAt, attempted).then(settle, () => settle({ kind: "failed" }));
    };
    const first = (answer: Answer): void => {
      if (answer.kind === "not_owner") again(answer.attempted === true);
      else settle(answer);
    };
    if (owner?.has(partition)) owner.ask(operation, deadlineMs, first);
    else void this.#elsewhere(partition, operation, deadlineMs).then(first);
  }

  #elsewhere(partition: number, operation: Operation, withinMs: number): Promise<Answer> {
    const address = this.#resources.leases.ownerAddress(partition);
    if (address === null) return Promise.resolve({ kind: "not_owner" });
    return this.#resources.forwarder.submit(address, operation, withinMs);
  }

  /** Asks whoever owns the partition next. What may have been applied once stays unknown until somebody says. */
  async #again(partition: number, operation: Operation, startedAt: number, wasAttempted: boolean): Promise<Answer> {
    const { owner, leases, patienceMs, deadlineMs } = this.#resources;
    const until = startedAt + Math.max(patienceMs, deadlineMs / 2);
    let attempted = wasAttempted;
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
      await leases.refresh();
      const leftMs = startedAt + deadlineMs - performance.now();
      const answer = owner?.has(partition)
        ? await owner.submit(operation, leftMs)
        : await this.#elsewhere(partition, operation, leftMs);
      if (answer.kind !== "not_owner") return attempted ? unlessUndecided(answer) : answer;
      attempted ||= answer.attempted === true;
    }
    return attempted ? { kind: "unknown", because: "log_unavailable" } : { kind: "recovering" };
  }
}

/** An earlier owner may have applied it, so that "not now" would say too much. */
function unlessUndecided(answer: Answer): Answer {
  return answer.kind === "done" || answer.kind === "failed" ? answer : { kind: "unknown", because: "log_unavailable" };
}
