import { eventually } from "@coupon/testkit";
import type { SignedCaller } from "./signed-caller.ts";

const CLIENTS = 4;
const CLIENTS_AT_THE_END = 50;

/** Clients that claim for one user after another, each again until it gets a coupon, and remember what they got. */
export class Crowd {
  /** Coupon by user. */
  readonly issued = new Map<string, unknown>();
  /** Answers that neither gave a coupon nor asked to try again. */
  readonly unexpected: unknown[] = [];
  refused = 0;
  #running = false;
  #clients: Promise<void>[] = [];
  readonly #caller: SignedCaller;
  readonly #batchId: string;

  constructor(caller: SignedCaller, batchId: string) {
    this.#caller = caller;
    this.#batchId = batchId;
  }

  start(): void {
    this.#running = true;
    this.#clients = Array.from({ length: CLIENTS }, (_, client) => this.#client(client));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  /** Users whose claim, repeated, gets another coupon, or who share one. */
  async changed(): Promise<string[]> {
    const users = [...this.issued];
    const changed: string[] = [];
    const ask = async (): Promise<void> => {
      for (let next = users.pop(); next !== undefined; next = users.pop()) {
        const [user, couponId] = next;
        const { body } = await this.#caller.claim(this.#batchId, user, "k");
        if (body.couponId !== couponId) changed.push(user);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS_AT_THE_END }, ask));
    if (new Set(this.issued.values()).size !== this.issued.size) changed.push("two users have one coupon");
    return changed;
  }

  async #client(client: number): Promise<void> {
    for (let n = 0; this.#running; n += 1) {
      const user = `user-${client}-${n}`;
      const answered = await this.#claim(user);
      if (answered !== "issued") this.unexpected.push(answered);
    }
  }

  /** Asks until there is an answer that stands. */
  #claim(user: string): Promise<unknown> {
    return eventually(
      async () => {
        const { status, body } = await this.#caller.claim(this.#batchId, user, "k");
        if (status < 300) {
          this.issued.set(user, body.couponId);
          return "issued";
        }
        if (status !== 503) return body.code;
        this.refused += 1;
        // Also where it ran before it was cut: then its outcome is unknown, and the same request is sent again.
        if (body.code !== "shard_recovering" && body.outcome !== "unknown") this.unexpected.push(body.code);
        return false;
      },
      { timeoutMs: 30_000 },
    );
  }
}
