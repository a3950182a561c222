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
    const { owner, partitions } = this.#resources;
    const partition = partitionOf(operation.batch, operation.shard, partitions);
    const answer = owner?.has(partition) ? owner.submit(operation) : this.#elsewhere(partition, operation);
    return answer.then((first) => (first.kind === "not_owner" ? this.#again(partition, operation) : first)) as Promise<
      Answer<Name>
    >;
  }

  #elsewhere(partition: number, operation: Operation): Promise<Answer> {
    const address = this.#resources.leases.ownerAddress(partition);
    if (address === null) return Promise.resolve({ kind: "not_owner" });
    return this.#resources.forwarder.submit(address, operation);
  }

  async #again(partition: number, operation: Operation): Promise<Answer> {
    const { owner, leases, patienceMs, deadlineMs } = this.#resources;
    const startedAt = performance.now();
    const until = startedAt + Math.max(patienceMs, deadlineMs / 2);
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
      await leases.refresh();
      const answer = owner?.has(partition)
        ? await owner.submit(operation)
        : await this.#elsewhere(partition, operation);
      if (answer.kind !== "not_owner") return answer;
    }
    return { kind: "recovering" };
  }
}
