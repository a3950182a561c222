import type { BatchDefinition } from "@coupon/domain";
import type { createTablePublisher } from "@coupon/events";
import type { BatchTerms, BatchVersion } from "@coupon/history";
import { eventually } from "@coupon/testkit";

type Publisher = ReturnType<typeof createTablePublisher>;

/** Publishes batches as campaigns would, and remembers every version for the checker. */
export class BatchBook {
  readonly #versions = new Map<number, BatchVersion[]>();
  readonly #publisher: Publisher;
  #last: Promise<unknown> = Promise.resolve();

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  /** One after the other, each until the broker has it. */
  publish(batchNumber: number, change: Partial<BatchDefinition>): Promise<void> {
    const published = this.#last.then(() => this.#publish(batchNumber, change));
    this.#last = published.catch(() => undefined);
    return published;
  }

  async #publish(batchNumber: number, change: Partial<BatchDefinition>): Promise<void> {
    const versions = this.#versions.get(batchNumber) ?? [];
    const before = versions.at(-1)?.definition ?? firstDefinition(batchNumber);
    const definition = { ...before, ...change, version: versions.length + 1 };
    versions.push({ definition, publishedAtMs: performance.now(), inForceAtMs: null });
    this.#versions.set(batchNumber, versions);
    await eventually(() => this.#publisher.publishBatch(definition).then(() => true), { timeoutMs: 20_000 });
  }

  get terms(): BatchTerms[] {
    return [...this.#versions.values()].map((versions) => ({ versions }));
  }
}

function firstDefinition(batchNumber: number): BatchDefinition {
  return {
    batchId: `batch-${batchNumber}`,
    batchNumber,
    version: 1,
    campaignId: "campaign-1",
    name: "Half off",
    sandbox: false,
    state: "issuing",
    revoked: false,
    template: {
      name: "Half off",
      benefit: { kind: "percent_off", basisPointsOff: 5_000, maxAmount: 500, currency: "CNY" },
      validity: { days: 30, mode: "rolling" },
      timeZone: "Asia/Shanghai",
      refundPolicy: "restore",
    },
    stock: { total: 1_000, perUser: 1 },
    issueWindow: { from: "2024-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" },
    callers: [{ callerId: "shop", may: ["issue", "redeem", "reverse", "read"] }],
    funding: [],
    timeZone: "Asia/Shanghai",
    shards: 1,
    couponKeyVersion: 1,
  };
}
