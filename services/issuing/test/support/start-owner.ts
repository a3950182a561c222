import type { EntryAppender } from "@coupon/events";
import { createMetrics } from "@coupon/service-kit";
import { Batches } from "../../src/front/batches.ts";
import { createIssuingMetrics } from "../../src/metrics.ts";
import type { Answer, Operation } from "../../src/owner/operation.ts";
import { Owner } from "../../src/owner/owner.ts";
import { connectOwnerParts, type OwnerParts } from "./owner-parts.ts";
import { PARTITIONS, World } from "./world.ts";

/** What a test sees of an owner, and may hold up. */
export interface Watched {
  asked: Operation[];
  /** Claims that a script call has decided. */
  decided: number;
  reopened: number;
  beforeDebit(): Promise<void>;
  holdsLease?(partition: number): Promise<boolean>;
  /** Before the one who asked for it has the answer. */
  afterDebit?(): void;
}

export function watch(own: Partial<Watched> = {}): Watched {
  return { asked: [], decided: 0, reopened: 0, beforeDebit: async () => {}, ...own };
}

/** A world with one batch, and the parts for an owner of it; `closers` end both, the last first. */
export async function publishForOwner(closers: (() => Promise<unknown>)[], shards: number, total: number) {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const definition = await world.publishBatch({ shards, stock: { total, perUser: 1 } });
  const batches = new Batches();
  batches.put(definition);
  const parts = await connectOwnerParts(world);
  closers.push(() => parts.close());
  return { definition, batch: definition.batchNumber, batches, parts, prefix: world.prefix };
}

/** An owner of all partitions on real parts; what it asks of other shards is answered by itself. */
export function startOwner(parts: OwnerParts, appender: EntryAppender, batches: Batches, watched: Watched): Owner {
  const { registry } = createMetrics("issuing");
  const none = () => 0;
  const retention = () => ({ near: 0, stops_new: 0, stops_all: 0 });
  const refused = { reads: 0, jobs: 0, claims: 0, locks: 0, critical: 0 };
  const admission = () => ({ limit: 0, inFlight: 0, held: 0, refused });
  const shardsWaiting = () => ({ waiting: 0, rebuilding: 0 });
  const reads = {
    partitionsServing: none,
    shardsWaiting,
    pending: none,
    retention,
    ledgerUnknownSeconds: none,
    admission,
  };
  const metrics = createIssuingMetrics(registry, reads);
  const owner: Owner = new Owner({
    ...parts,
    appender,
    batches,
    partitions: PARTITIONS,
    metrics: {
      ...metrics,
      batch: (name, count) => {
        if (name === "claim") watched.decided += count;
        metrics.batch(name, count);
      },
      reopened: () => {
        watched.reopened += 1;
        metrics.reopened();
      },
    },
    deadlineMs: 1_500,
    patienceMs: 500,
    appendTimeoutMs: 30_000,
    pendingMax: 1_000,
    publish: (topic, messages) => parts.appender.publish(topic, messages),
    retention: { stops: () => false },
    holdsLease: async (partition) => (await watched.holdsLease?.(partition)) ?? true,
    belongsTo: () => true,
    ask: async (operation) => {
      watched.asked.push(operation);
      if (operation.op !== "debit") return owner.submit(operation);
      await watched.beforeDebit();
      const answer = await owner.submit(operation);
      watched.afterDebit?.();
      return answer;
    },
  });
  for (let id = 0; id < PARTITIONS; id += 1) owner.take(id);
  return owner;
}

/** The parts' appender, but for what is given. */
export function appenderWith({ appender }: OwnerParts, own: Partial<EntryAppender>): EntryAppender {
  return {
    append: (...given) => appender.append(...given),
    appendMarker: (...given) => appender.appendMarker(...given),
    publish: (...given) => appender.publish(...given),
    connect: () => appender.connect(),
    close: () => appender.close(),
    ...own,
  };
}

/** Claims of one shard, each for a user of its own. */
export function crowdAt(owner: Owner, batch: number, shard: number): (count: number) => Promise<Answer[]> {
  let users = 0;
  const claim = (): Promise<Answer> => {
    users += 1;
    const request = { userId: `u${users}`, callerId: "shop", key: "k", via: "c" as const, permitted: true };
    return owner.submit({ op: "claim", batch, shard, request });
  };
  return (count) => Promise.all(Array.from({ length: count }, claim));
}

export function countOf(answers: readonly Answer[], kind: string): number {
  return answers.filter((it) => it.kind === "done" && "kind" in it.outcome && it.outcome.kind === kind).length;
}
