import type { PrismaClient } from "@coupon/database/prisma";
import type { BatchDefinition } from "@coupon/domain";
import { MessageInvalid } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { CampaignMetrics } from "../metrics.ts";
import {
  becomePublisher,
  countPublications,
  deletePublications,
  oldestPublications,
  type PublicationRecord,
} from "../stores/publications.ts";
import { Worker } from "./worker.ts";

export interface PublisherOptions {
  prisma: PrismaClient;
  /** Returns once Kafka has the definition, with acks=all; throws where it may not have it. */
  send(definition: BatchDefinition): Promise<void>;
  metrics: CampaignMetrics;
  logger: Logger;
  /** How often the outbox is looked at unasked, in milliseconds: for what another process put there. */
  everyMs?: number;
}

/** Definitions of one round, and how long it may go on sending. */
const DEFINITIONS_MAX = 100;
const SENDING_MS_MAX = 8_000;
/** Longest hold of the publisher's lock in milliseconds: longer than sending and the last send may take. */
const ROUND_MS_MAX = 20_000;

interface Round {
  /** Rows of the outbox that Kafka has now. */
  sent: bigint[];
  /** Why the round ended early; null where it did not. */
  failure: unknown;
}

/**
 * Brings what is in the outbox to Kafka. The rows go with the transaction that saw them acknowledged, so
 * that a definition is published at least once; one process publishes at a time, and of a batch only the
 * newest definition, so that an older one never comes after it.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #worker: Worker;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#worker = new Worker({
      round: () => this.#round(),
      failed: (error) => this.#failed(error),
      everyMs: options.everyMs ?? 1_000,
    });
  }

  start(): void {
    this.#worker.start();
  }

  /** Asks for a round now: something was put into the outbox. */
  kick(): void {
    this.#worker.kick();
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }

  async #round(): Promise<boolean> {
    const { prisma, metrics } = this.#options;
    const waiting = await countPublications(prisma);
    metrics.outboxDepth.set(waiting);
    if (waiting === 0) return false;
    const { sent, failure } = await prisma.$transaction(
      async (tx) => {
        if (!(await becomePublisher(tx))) return { sent: [], failure: null };
        const round = await this.#sendAll(await oldestPublications(tx, DEFINITIONS_MAX));
        await deletePublications(tx, round.sent);
        return round;
      },
      { timeout: ROUND_MS_MAX },
    );
    metrics.published.inc(sent.length);
    metrics.outboxDepth.set(Math.max(0, waiting - sent.length));
    if (failure !== null) throw failure;
    return sent.length > 0 && sent.length < waiting;
  }

  async #sendAll(rows: PublicationRecord[]): Promise<Round> {
    const round: Round = { sent: [], failure: null };
    const until = performance.now() + SENDING_MS_MAX;
    for (const { definition, ids } of newestOfEach(rows)) {
      try {
        await this.#options.send(definition);
        round.sent.push(...ids);
      } catch (error) {
        round.failure = error;
        // One definition that can't be sent holds up no other batch; a log that is away holds up all.
        if (!(error instanceof MessageInvalid)) return round;
      }
      if (performance.now() > until) return round;
    }
    return round;
  }

  #failed(error: unknown): void {
    this.#options.metrics.publishFailures.inc();
    this.#options.logger.warn({ err: error }, "definitions could not be published; trying again");
  }
}

interface Outgoing {
  definition: BatchDefinition;
  /** Rows that are done with once it is sent. */
  ids: bigint[];
}

/** Shards jump to the newest version that they see, so what is older need not be sent. */
function newestOfEach(rows: PublicationRecord[]): Outgoing[] {
  const newest = new Map<string, Outgoing>();
  for (const { publicationId, definition } of rows) {
    const ids = [...(newest.get(definition.batchId)?.ids ?? []), publicationId];
    newest.set(definition.batchId, { definition, ids });
  }
  return [...newest.values()];
}
