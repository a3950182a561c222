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
    const { owner, partitions, deadlineMs } = this.#resources;
    const partition = partitionOf(operation.batch, operation.shard, partitions);
    const startedAt = performance.now();
    const answer = owner?.has(partition) ? owner.submit(operation) : this.#elsewhere(partition, operation, deadlineMs);
    return answer.then((first) =>
      first.kind === "not_owner" ? this.#again(partition, operation, startedAt, first.attempted === true) : first,
    ) as Promise<Answer<Name>>;
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
