import type { Logger } from "@coupon/service-kit";
import type { Resources } from "../resources.ts";
import { batchesHolding } from "../stores/budgets.ts";
import { giveBackUnused } from "../use-cases/give-back-unused.ts";
import { Worker } from "./worker.ts";

const BATCHES_A_PAGE = 200;
/** Batches in a row that the ledger tells nothing about, after which a round ends; the next one goes on from there. */
const UNTOLD_MAX = 3;

/**
 * Looks, every so often, at every batch that holds something of a budget, and gives back what it will never use. The
 * ledger is asked about one after another; while it is away, nothing is given back. A round that ended early is gone on
 * with, so that a batch that can't be settled never keeps those behind it waiting. May run in several processes.
 */
export class UnusedBudget {
  readonly #resources: Resources;
  readonly #logger: Logger;
  readonly #worker: Worker;
  #stopping = false;
  /** The batch that was looked at last; empty where the next is the first. */
  #after = "";

  constructor(options: { resources: Resources; everyMs: number; logger: Logger }) {
    this.#resources = options.resources;
    this.#logger = options.logger;
    this.#worker = new Worker({
      round: () => this.#round(),
      failed: (error) => this.#failed(error),
      everyMs: options.everyMs,
    });
  }

  start(): void {
    this.#worker.start();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#worker.stop();
  }

  async #round(): Promise<boolean> {
    const { prisma } = this.#resources;
    let untold = 0;
    let page = await batchesHolding(prisma, this.#after, BATCHES_A_PAGE);
    while (page.length > 0) {
      for (const batchId of page) {
        if (this.#stopping) return false;
        this.#after = batchId;
        const outcome = await giveBackUnused(this.#resources, batchId);
        if (outcome.kind === "refused") this.#resources.metrics.giveBackFailures.inc();
        untold = outcome.kind === "refused" ? untold + 1 : 0;
        if (untold >= UNTOLD_MAX) return false;
      }
      page = page.length < BATCHES_A_PAGE ? [] : await batchesHolding(prisma, this.#after, BATCHES_A_PAGE);
    }
    this.#after = "";
    return false;
  }

  #failed(error: unknown): void {
    this.#resources.metrics.giveBackFailures.inc();
    this.#logger.warn({ err: error }, "what batches have not used could not be given back; trying again");
  }
}
