import type { Logger } from "@coupon/service-kit";
import type { CampaignMetrics } from "../metrics.ts";
import type { InForce } from "./confirmations.ts";
import { Worker } from "./worker.ts";

export interface SettlerOptions {
  /** Records what is in force; may be repeated. */
  settle(inForce: InForce): Promise<void>;
  /** Told when it is on record. */
  settled(inForce: InForce): void;
  metrics: CampaignMetrics;
  logger: Logger;
}

/** Batches at most whose newest state waits to be recorded; beyond, the oldest is dropped. */
const WAITING_MAX = 10_000;

/** Brings what shards have in force to the database, batch by batch, also when that was away for a while. */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #waiting = new Map<string, InForce>();
  readonly #worker: Worker;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#worker = new Worker({
      round: () => this.#round(),
      failed: (error) => this.#failed(error),
      everyMs: 60_000,
    });
  }

  start(): void {
    this.#worker.start();
  }

  add(inForce: InForce): void {
    this.#waiting.delete(inForce.batchId);
    this.#waiting.set(inForce.batchId, inForce);
    if (this.#waiting.size > WAITING_MAX) {
      const [oldest] = this.#waiting.keys();
      if (oldest !== undefined) this.#waiting.delete(oldest);
    }
    this.#worker.kick();
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }

  async #round(): Promise<boolean> {
    const [next] = this.#waiting.values();
    if (next === undefined) return false;
    this.#waiting.delete(next.batchId);
    try {
      await this.#options.settle(next);
    } catch (error) {
      // Behind the others, so that one that fails holds up none of them; a newer one may have come meanwhile.
      if (!this.#waiting.has(next.batchId)) this.#waiting.set(next.batchId, next);
      throw error;
    }
    this.#options.settled(next);
    return this.#waiting.size > 0;
  }

  #failed(error: unknown): void {
    this.#options.metrics.settleFailures.inc();
    this.#options.logger.warn({ err: error }, "what is in force could not be recorded; trying again");
  }
}
