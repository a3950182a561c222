import type { BatchDefinition } from "@coupon/domain";
import { createBatchFollower, createEntryAppender, type LogConfig } from "@coupon/events";

/**
 * Stands for the owners of all shards: follows the real topic of batches and confirms every definition on
 * the real topic of rules in force, as owners do. It keeps no stock; what a shard is short by is set.
 */
export class StandInOwner {
  /** Definitions in the order in which they were seen. */
  readonly seen: BatchDefinition[] = [];
  /** Stock that a shard can't give back when it is asked to have this definition in force. */
  shortBy: (definition: BatchDefinition, shard: number) => number = () => 0;
  readonly #appender: ReturnType<typeof createEntryAppender>;
  readonly #follower: ReturnType<typeof createBatchFollower>;
  #silent: (definition: BatchDefinition, shard: number) => boolean = () => false;
  #failed: unknown = null;

  constructor(config: LogConfig) {
    this.#appender = createEntryAppender({ config, source: "/stand-in" });
    this.#follower = createBatchFollower({
      config,
      onChange: (_batchId, definition) => {
        if (definition === null) return;
        this.seen.push(definition);
        this.#confirm(definition).catch((error: unknown) => {
          this.#failed = error;
        });
      },
    });
  }

  async start(): Promise<void> {
    await this.#follower.start();
  }

  /** Says nothing for these shards until `speak`. */
  keepSilent(about: (definition: BatchDefinition, shard: number) => boolean = () => true): void {
    this.#silent = about;
  }

  /** Confirms the newest definition of every batch, and from now on every one. */
  async speak(): Promise<void> {
    this.#silent = () => false;
    const newest = new Map(this.seen.map((definition) => [definition.batchId, definition]));
    for (const definition of newest.values()) await this.#confirm(definition);
  }

  versionsOf(batchId: string): number[] {
    return this.seen.filter((definition) => definition.batchId === batchId).map(({ version }) => version);
  }

  newestOf(batchId: string): BatchDefinition | undefined {
    return this.seen.filter((definition) => definition.batchId === batchId).at(-1);
  }

  async close(): Promise<void> {
    await this.#follower.close();
    await this.#appender.close();
    if (this.#failed !== null) throw this.#failed;
  }

  async #confirm(definition: BatchDefinition): Promise<void> {
    const { batchId, batchNumber, version, shards } = definition;
    const messages = Array.from({ length: shards }, (_, shard) => shard)
      .filter((shard) => !this.#silent(definition, shard))
      .map((shard) => ({
        ...{ v: 1 as const, batchId, batchNumber, version, shard, shards },
        ...{ shortBy: this.shortBy(definition, shard), partition: 0, offset: version },
      }));
    if (messages.length > 0) await this.#appender.publish("rules-applied", messages);
  }
}
