import {
  type BatchDefinition,
  dayStartsAround,
  type Entitlement,
  parseInstant,
  type ShardRules,
  shardPart,
} from "@coupon/domain";
import { bucketsFor, type ShardAddress } from "@coupon/redis";
import type { BatchDirectory } from "../owner/batch-directory.ts";

/** A batch with what the hot path needs of it worked out once. */
export interface KnownBatch {
  definition: BatchDefinition;
  addresses: ShardAddress[];
  /** From when on what it had issued is dead; infinite where it was not revoked. */
  revokedFromMs: number;
  may: Map<string, ReadonlySet<Entitlement>>;
  rules: Omit<ShardRules, "allotment" | "perDay" | "buckets">;
}

/** The batches that campaigns publishes, held in process and kept up to date by the compacted topic. */
export class Batches implements BatchDirectory {
  readonly #byId = new Map<string, KnownBatch>();
  readonly #byNumber = new Map<number, KnownBatch>();

  /** Takes a definition in; an older version than the one known changes nothing. */
  put(definition: BatchDefinition): void {
    const before = this.#byId.get(definition.batchId);
    if (before !== undefined && before.definition.version > definition.version) return;
    const known = understand(definition);
    this.#byId.set(definition.batchId, known);
    this.#byNumber.set(definition.batchNumber, known);
  }

  byId(batchId: string): KnownBatch | undefined {
    return this.#byId.get(batchId);
  }

  byNumber(batch: number): KnownBatch | undefined {
    return this.#byNumber.get(batch);
  }

  shards(): ShardAddress[] {
    return [...this.#byNumber.values()].flatMap(({ addresses }) => addresses);
  }

  shardsOf(batch: number): ShardAddress[] {
    return this.#byNumber.get(batch)?.addresses ?? [];
  }

  stockOf(batch: number): number {
    return this.#byNumber.get(batch)?.definition.stock.total ?? 0;
  }

  dayStarts(batch: number, nowMs: number): readonly number[] {
    const known = this.#byNumber.get(batch);
    return known === undefined ? [] : dayStartsAround(known.definition.timeZone, nowMs);
  }

  rulesOf({ batch, shard }: ShardAddress): { batchId: string; shards: number; rules: ShardRules } | null {
    const known = this.#byNumber.get(batch);
    if (known === undefined) return null;
    const { batchId, shards, stock } = known.definition;
    const allotment = shardPart(stock.total, shards, shard);
    return {
      batchId,
      shards,
      rules: {
        ...known.rules,
        allotment,
        perDay: stock.perDay === undefined ? null : shardPart(stock.perDay, shards, shard),
        buckets: bucketsFor(allotment),
      },
    };
  }
}

function understand(definition: BatchDefinition): KnownBatch {
  const { batchNumber, shards, callers, version, state, revoked, revokedAt, issueWindow, stock } = definition;
  return {
    definition,
    addresses: Array.from({ length: shards }, (_, shard) => ({ batch: batchNumber, shard })),
    revokedFromMs: revoked ? (parseInstant(revokedAt ?? "") ?? 0) : Number.POSITIVE_INFINITY,
    may: new Map(callers.map(({ callerId, may }) => [callerId, new Set(may)])),
    rules: {
      version,
      state,
      revoked,
      fromMs: parseInstant(issueWindow.from) ?? 0,
      untilMs: parseInstant(issueWindow.until) ?? 0,
      perUser: stock.perUser,
      perUserPerDay: stock.perUserPerDay ?? null,
    },
  };
}
