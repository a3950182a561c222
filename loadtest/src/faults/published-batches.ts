import { setTimeout as sleep } from "node:timers/promises";
import type { BatchDefinition } from "@coupon/domain";
import type { TablePublisher } from "@coupon/events";
import type { BatchTerms, BatchVersion } from "@coupon/history";
import { shopBatch } from "../own-platform/shop-batch.ts";
import type { PlannedBatch, RuleChange } from "./draw-batches.ts";
import { Lanes } from "./lanes.ts";

/** Batches as campaigns would publish them, version by version. */
export class PublishedBatches {
  readonly #publisher: TablePublisher;
  readonly #planned: readonly PlannedBatch[];
  readonly #versions: BatchVersion[][];
  readonly #lanes = new Lanes();

  constructor(publisher: TablePublisher, planned: readonly PlannedBatch[]) {
    this.#publisher = publisher;
    this.#planned = planned;
    this.#versions = planned.map(() => []);
  }

  get terms(): BatchTerms[] {
    return this.#versions.map((versions) => ({ versions }));
  }

  /** The batch as it was published last. */
  latest(batch: number): BatchDefinition {
    const definition = this.#versions[batch]?.at(-1)?.definition;
    if (definition === undefined) throw new Error(`batch ${batch} has not been published`);
    return definition;
  }

  async publishAll(): Promise<void> {
    await Promise.all(this.#planned.map((planned, batch) => this.#publish(batch, firstOf(planned, batch))));
  }

  /** Changes of one batch are published in their order, each tried until it is confirmed. */
  change({ batch, change }: RuleChange): Promise<void> {
    return this.#lanes.run(String(batch), () => {
      const last = this.latest(batch);
      const next =
        "state" in change ? change : { stock: { ...last.stock, total: last.stock.total + change.moreStock } };
      return this.#publish(batch, { ...last, ...next, version: last.version + 1 });
    });
  }

  async #publish(batch: number, definition: BatchDefinition): Promise<void> {
    this.#versions[batch]?.push({ definition, publishedAtMs: performance.now(), inForceAtMs: null });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const published = await this.#publisher.publishBatch(definition).then(
        () => true,
        () => false,
      );
      if (published) return;
      await sleep(200);
    }
    throw new Error(`version ${definition.version} of ${definition.batchId} can't be published`);
  }
}

function firstOf({ purpose, template, stock, shards, funding }: PlannedBatch, batch: number): BatchDefinition {
  return { ...shopBatch(batch + 1, template, { stock, shards }), name: purpose, funding };
}
