import { Agent, request } from "node:http";
import type { SignedCaller } from "./signed-caller.ts";

/** A claim that got its coupon. */
export interface Acknowledged {
  couponId: string;
  /** When the request that got it was sent, by `performance.now()`. */
  askedAtMs: number;
}

interface Reply {
  kind: "reply";
  status: number;
  replayed: boolean;
  body: Record<string, unknown>;
}

/**
 * How a request ended without an answer: `unheard` where nobody listened, or a connection that no request had been
 * answered on was reset, which a listener that closes does to whoever waits in its queue; `cut` otherwise.
 */
type NoReply = { kind: "unheard"; because: string } | { kind: "cut"; because: string };

/**
 * Clients on connections that are kept alive, each claiming for one user after another, again until the claim's outcome
 * is known. What went wrong on the way is remembered, not smoothed over.
 */
export class KeepAliveCrowd {
  /** By user. */
  readonly acknowledged = new Map<string, Acknowledged>();
  /** Answers that were neither a coupon nor "not now". */
  readonly unexpected: unknown[] = [];
  /** Answers that said "not now". */
  readonly notNow: unknown[] = [];
  /** Requests that went without their answer after somebody had begun to listen to them. */
  readonly cut: string[] = [];
  unheard = 0;
  readonly #caller: SignedCaller;
  readonly #batchId: string;
  readonly #agent: Agent;
  readonly #clients: Promise<void>[];
  #users = 0;
  #stopped = false;

  constructor(caller: SignedCaller, batchId: string, connections: number) {
    this.#caller = caller;
    this.#batchId = batchId;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#clients = Array.from({ length: connections }, () => this.#client());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  async #client(): Promise<void> {
    while (!this.#stopped) {
      this.#users += 1;
      await this.#claim(`user-${this.#users}`);
    }
  }

  async #claim(user: string): Promise<void> {
    let wasUnheard = false;
    do {
      const askedAtMs = performance.now();
      const reply = await this.#ask(user);
      if (reply.kind === "cut") this.cut.push(reply.because);
      else if (reply.kind === "unheard") {
        wasUnheard = true;
        this.unheard += 1;
      } else if (reply.status < 300) {
        if (wasUnheard && reply.replayed) this.cut.push("a request that nobody had heard was carried out");
        this.acknowledged.set(user, { couponId: reply.body.couponId as string, askedAtMs });
        return;
      } else if (reply.status === 503) this.notNow.push(reply.body.code);
      else {
        this.unexpected.push(reply.body);
        return;
      }
    } while (!this.#stopped);
  }

  #ask(user: string): Promise<Reply | NoReply> {
    const path = `/v1/batches/${this.#batchId}/claims`;
    const text = JSON.stringify({ userId: user });
    const headers = {
      ...this.#caller.headers("POST", path, text, { idempotencyKey: user }),
      "content-length": Buffer.byteLength(text),
    };
    return new Promise((resolve) => {
      const asking = request(this.#caller.baseUrl + path, { method: "POST", agent: this.#agent, headers });
      asking.on("error", (error: NodeJS.ErrnoException) => {
        const kind = error.code === "ECONNREFUSED" || !asking.reusedSocket ? "unheard" : "cut";
        resolve({ kind, because: `${error.code} on a connection that had answered` });
      });
      asking.on("response", (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          body += part;
        });
        response.on("error", (error) => resolve({ kind: "cut", because: `${error.message} in an answer` }));
        response.on("end", () => {
          const replayed = response.headers["idempotent-replayed"] === "true";
          resolve({ kind: "reply", status: response.statusCode ?? 0, replayed, body: JSON.parse(body) });
        });
      });
      asking.end(text);
    });
  }
}
