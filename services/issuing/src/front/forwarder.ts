import { createInterface } from "node:readline";
import { Pool } from "undici";
import type { Answer, Operation } from "../owner/operation.ts";

export interface ForwarderResources {
  internalToken: string;
  deadlineMs: number;
  operationsMax: number;
}

interface Waiting {
  operation: Operation;
  /** From then on nobody waits for an answer. */
  untilMs: number;
  resolve(answer: Answer): void;
}

/** Messages without a first answer yet, to one owner; what gathers meanwhile travels in the next. */
const MESSAGES_MAX = 4;
const CONNECTIONS_MAX = 64;
const OPERATIONS_A_MESSAGE_MAX = 512;

/** Forwards operations to other processes' internal ports, micro-batched by owner. */
export class Forwarder {
  readonly #resources: ForwarderResources;
  readonly #lanes = new Map<string, Lane>();

  constructor(resources: ForwarderResources) {
    this.#resources = resources;
  }

  submit(address: string, operation: Operation, withinMs: number): Promise<Answer> {
    let lane = this.#lanes.get(address);
    if (lane === undefined) {
      lane = new Lane(address, this.#resources);
      this.#lanes.set(address, lane);
    }
    return lane.submit(operation, withinMs);
  }

  /** Where there are connections to. */
  get addresses(): string[] {
    return [...this.#lanes.keys()];
  }

  /** Closes the connections to all but these, where nobody waits for an answer. */
  keep(addresses: ReadonlySet<string>): void {
    for (const [address, lane] of this.#lanes) {
      if (addresses.has(address) || lane.busy) continue;
      this.#lanes.delete(address);
      void lane.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
  }
}

class Lane {
  readonly #resources: ForwarderResources;
  readonly #pool: Pool;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor(address: string, resources: ForwarderResources) {
    this.#resources = resources;
    this.#pool = new Pool(`http://${address}`, {
      connections: CONNECTIONS_MAX,
      connect: { timeout: 500 },
      headersTimeout: resources.deadlineMs + 500,
      bodyTimeout: resources.deadlineMs + 500,
    });
  }

  get busy(): boolean {
    return this.#underWay > 0 || this.#waiting.length > 0;
  }

  submit(operation: Operation, withinMs: number): Promise<Answer> {
    if (this.#waiting.length >= this.#resources.operationsMax) return Promise.resolve({ kind: "overloaded" });
    return new Promise((resolve) => {
      this.#waiting.push({ operation, untilMs: performance.now() + withinMs, resolve });
      if (this.#underWay < MESSAGES_MAX) {
        this.#underWay += 1;
        queueMicrotask(() => void this.#run());
      }
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#inTime(this.#waiting.splice(0, OPERATIONS_A_MESSAGE_MAX));
      if (waiting.length > 0) await this.#send(waiting);
    }
    this.#underWay -= 1;
  }

  /** While an owner is silent operations wait here: those that have waited for too long are not sent any more. */
  #inTime(waiting: Waiting[]): Waiting[] {
    const now = performance.now();
    for (const { untilMs, resolve } of waiting) if (untilMs <= now) resolve({ kind: "not_owner" });
    return waiting.filter(({ untilMs }) => untilMs > now);
  }

  /** Resolves with the first answers: one slow shard must not hold up the operations on others. */
  #send(waiting: Waiting[]): Promise<void> {
    return new Promise((started) => {
      this.#exchange(waiting, started)
        // Whatever became of them there, every operation names its own outcome: the next owner is asked the same.
        .catch(() => undefined)
        .finally(() => {
          for (const { resolve } of waiting) resolve({ kind: "not_owner", attempted: true });
          started();
        });
    });
  }

  async #exchange(waiting: Waiting[], started: () => void): Promise<void> {
    const now = performance.now();
    const { statusCode, body } = await this.#pool.request({
      method: "POST",
      path: "/internal/v1/operations",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.#resources.internalToken}` },
      body: JSON.stringify({ operations: waiting.map(({ operation, untilMs }) => [operation, untilMs - now]) }),
    });
    if (statusCode !== 200) return body.dump();
    for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
      started();
      for (const [index, answer] of JSON.parse(line) as [number, Answer][]) waiting[index]?.resolve(answer);
    }
  }
}
