import type { Expectation, ShardAddress } from "@coupon/redis";
import type { Done, NoOutcome, OperationName } from "./operation.ts";
import type { Pending } from "./pending.ts";

/** Outcomes of one script call, waiting until the entry that they rest on is durable. */
interface Waiting {
  number: number;
  pendings: Pending[];
  answers: Omit<Done, "place">[];
}

/** Work that needs the shard to itself for one script call: rules, cold records, transfers. */
export interface Job {
  run(): Promise<void>;
  /** Called instead of `run` where the shard is opened anew or given up first. */
  abandon?(): void;
}

/**
 * `defined`: only its definition is known, the partition's opening has not come to it. `waiting`: the partition serves,
 * and this shard is being opened. `rebuilding`: it is built anew from PostgreSQL.
 */
export type ShardStanding = "defined" | "waiting" | "rebuilding" | "serving";

/**
 * One shard as its owner sees it: what has been asked of it, the number of its last entry in Redis,
 * and how far its entries are durable. Holds no rules of coupons; those are the script's.
 */
export class Shard {
  readonly address: ShardAddress;
  readonly key: string;
  number: number;
  /** Hash of that entry, "" before the first. */
  hash: string;
  durable: number;
  durableOffset: number;
  rulesVersion: number;
  /** A batch definition's version whose rules entry is queued. */
  rulesQueued = 0;
  standing: ShardStanding = "defined";
  /** A script call is under way; there is never a second one. */
  running = false;
  /** Entries written in Redis and not yet handed to a send: the next script call waits for it, so batches grow. */
  unsent = 0;
  /** Until when the shards of the batch are known to be empty, for the rules version given. */
  exhaustedAtVersion = 0;
  /** What the shards of the batch had issued then, all together, of which total; null in a batch of one shard. */
  exhausted: { used: number; max: number } | null = null;
  /** The rules version whose total is known to be below what all shards have issued. */
  shortAtVersion = 0;
  readonly jobs: Job[] = [];
  readonly #queues = new Map<OperationName, Pending[]>();
  #waiting: Waiting[] = [];
  #onDurable: { number: number; run: () => void }[] = [];
  #queued = 0;

  constructor(
    address: ShardAddress,
    at: { number: number; hash: string; durable: number; durableOffset: number; rulesVersion: number },
  ) {
    this.address = address;
    this.key = `${address.batch}.${address.shard}`;
    this.number = at.number;
    this.hash = at.hash;
    this.durable = at.durable;
    this.durableOffset = at.durableOffset;
    this.rulesVersion = at.rulesVersion;
  }

  /** Operations waiting for a script call. */
  get queued(): number {
    return this.#queued;
  }

  get idle(): boolean {
    return !this.running && this.unsent === 0 && this.#waiting.length === 0;
  }

  expectation(epoch: number): Expectation {
    return { epoch, hash: this.hash, durable: this.durable, durableOffset: this.durableOffset };
  }

  enqueue(pending: Pending): void {
    const name = pending.operation.op;
    const queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, [pending]);
    else queue.push(pending);
    this.#queued += 1;
  }

  /**
   * Takes the next micro-batch, of one kind and as many as `size` says; kinds in turn, so that none starves.
   */
  take(
    size: (name: OperationName, queue: readonly Pending[]) => number,
  ): { name: OperationName; pendings: Pending[] } | null {
    for (const [name, queue] of this.#queues) {
      if (queue.length === 0) continue;
      const limit = size(name, queue);
      const pendings = queue.length <= limit ? queue : queue.splice(0, limit);
      this.#queues.delete(name);
      if (pendings !== queue) this.#queues.set(name, queue);
      this.#queued -= pendings.length;
      return { name, pendings };
    }
    return null;
  }

  /** Puts operations back at the head of their queues, in their order. */
  putBack(pendings: Pending[]): void {
    const byName = Map.groupBy(
      pendings.filter((pending) => !pending.settled),
      (pending) => pending.operation.op,
    );
    for (const [name, group] of byName) {
      this.#queues.set(name, group.concat(this.#queues.get(name) ?? []));
      this.#queued += group.length;
    }
  }

  /** Answers at once where `number` is durable already, else when it is. */
  answerWhenDurable(number: number, pendings: Pending[], answers: Omit<Done, "place">[], partition: number): void {
    const waiting = { number, pendings, answers };
    if (number <= this.durable) this.#answer(waiting, partition);
    else this.#waiting.push(waiting);
  }

  /** Runs once the entry is durable; forgotten when the partition is opened again. */
  whenDurable(number: number, run: () => void): void {
    if (number <= this.durable) run();
    else this.#onDurable.push({ number, run });
  }

  becameDurable(number: number, offset: number, partition: number): void {
    this.durable = number;
    this.durableOffset = offset;
    let answered = 0;
    for (const waiting of this.#waiting) {
      if (waiting.number > number) break;
      this.#answer(waiting, partition);
      answered += 1;
    }
    if (answered > 0) this.#waiting.splice(0, answered);
    if (this.#onDurable.length === 0) return;
    const due = this.#onDurable.filter((one) => one.number <= number);
    this.#onDurable = this.#onDurable.filter((one) => one.number > number);
    for (const { run } of due) run();
  }

  /** Ends this view of the shard: its jobs are abandoned, and what has no answer is handed back. */
  retire(): Pending[] {
    for (const job of this.jobs.splice(0)) job.abandon?.();
    return this.#takeUnanswered();
  }

  /** Takes back every operation without an answer, oldest first; asking the script again is harmless. */
  #takeUnanswered(): Pending[] {
    const waiting = this.#waiting.flatMap((group) => group.pendings);
    this.#waiting = [];
    const queued = [...this.#queues.values()].flat();
    this.#queues.clear();
    this.#queued = 0;
    return waiting.concat(queued).filter((pending) => !pending.settled);
  }

  /** Fails what arrived before `beforeMs`, with what its progress allows to say. */
  expire(beforeMs: number, answer: (pending: Pending) => NoOutcome): void {
    for (const queue of this.#queues.values()) {
      let late = 0;
      while (late < queue.length && (queue[late] as Pending).arrivedAtMs < beforeMs) late += 1;
      if (late === 0) continue;
      this.#queued -= late;
      for (const pending of queue.splice(0, late)) pending.fail(answer(pending));
    }
    for (const { pendings } of this.#waiting) {
      for (const pending of pendings) if (pending.arrivedAtMs < beforeMs) pending.fail(answer(pending));
    }
  }

  /** Fails what arrived before `beforeMs` and was never given to a script. */
  expireUnattempted(beforeMs: number, answer: NoOutcome): void {
    for (const [name, queue] of this.#queues) {
      const kept = queue.filter((pending) => pending.attempted || pending.arrivedAtMs >= beforeMs);
      if (kept.length === queue.length) continue;
      this.#queues.set(name, kept);
      this.#queued -= queue.length - kept.length;
      for (const pending of queue) if (!kept.includes(pending)) pending.fail(answer);
    }
  }

  #answer({ pendings, answers }: Waiting, partition: number): void {
    const place = { partition, offset: this.durableOffset };
    for (let i = 0; i < pendings.length; i += 1) {
      (pendings[i] as Pending).done({ ...(answers[i] as Omit<Done, "place">), place });
    }
  }
}

/** A shard of which only the definition is known. */
export function emptyShard(address: ShardAddress): Shard {
  return new Shard(address, { number: 0, hash: "", durable: 0, durableOffset: -1, rulesVersion: 0 });
}
