import { RedisUnavailable } from "@coupon/redis";
import { applyBatch, batchSize, entryKind } from "./apply.ts";
import type { ColdRecords } from "./cold-records.ts";
import type { Done, OutcomeOf } from "./operation.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import type { Pending } from "./pending.ts";
import type { RebuildPace } from "./rebuild-pace.ts";
import type { Shard } from "./shard.ts";
import type { StockTransfers } from "./stock-transfers.ts";

export interface MicroBatchesParts {
  cold: ColdRecords;
  transfers: StockTransfers;
  pace: RebuildPace;
  /** Has a shard built anew once the correction that says so is durable. */
  rebuildWhenDurable(turn: ShardTurn, number: number): void;
}

/** Micro-batches: each is applied by one script call, and its outcomes are answered, asked again, or wait for more. */
export class MicroBatches {
  readonly #owner: OwnerContext;
  readonly #parts: MicroBatchesParts;

  constructor(owner: OwnerContext, parts: MicroBatchesParts) {
    this.#owner = owner;
    this.#parts = parts;
  }

  /** Takes the shard's next micro-batch out of its queue, to be applied by what is given; null where there is none. */
  next(partition: Partition, shard: Shard): (() => Promise<void>) | null {
    const taken = shard.take(batchSize);
    if (taken === null) return null;
    const { name, pendings } = taken;
    return async () => {
      const { generation } = partition;
      for (const pending of pendings) pending.attempt();
      const days = name === "claim" ? this.#owner.resources.batches.dayStarts(shard.address.batch, Date.now()) : [];
      try {
        const result = await applyBatch(
          this.#owner.resources.calls,
          shard,
          partition.epoch,
          name,
          pendings,
          days,
          this.#owner.resources.belongsTo,
        );
        if (result.kind === "mismatch") throw new Mismatch(shard, result.found);
        const outcomes = result.outcomes.map((outcome, i) => firstAnswer(pendings[i] as Pending, outcome));
        if (partition.generation !== generation) return this.#owner.requeue({ partition, shard }, pendings);
        this.#parts.pace.asked();
        this.#owner.resources.metrics.batch(name, pendings.length);
        this.#owner.applied({ partition, shard }, result, entryKind[name]);
        this.#answer({ partition, shard }, pendings, { ...result, outcomes });
      } catch (error) {
        if (isExpected(error)) this.#owner.requeue({ partition, shard }, pendings);
        else for (const pending of pendings) pending.fail({ kind: "failed" });
        throw error;
      }
    };
  }

  #answer(
    turn: ShardTurn,
    pendings: Pending[],
    result: { number: number; atMs: number; outcomes: Done["outcome"][] },
  ): void {
    const answered: Pending[] = [];
    const answers: Omit<Done, "place">[] = [];
    const cold: Pending[] = [];
    const again: Pending[] = [];
    const outOfStock: Pending[] = [];
    for (let i = 0; i < pendings.length; i += 1) {
      const pending = pendings[i] as Pending;
      const outcome = result.outcomes[i] as Done["outcome"];
      const kind = "kind" in outcome ? outcome.kind : "";
      if (kind === "cold") cold.push(pending);
      else if (kind === "again" && pending.asksAgain()) again.push(pending);
      else if (kind === "again") pending.fail({ kind: "recovering" });
      else if (kind === "stock_exhausted" && !this.#parts.transfers.isExhausted(turn.shard)) outOfStock.push(pending);
      else {
        if (wantsFetch(pending, outcome)) this.#parts.transfers.fetch(turn);
        answered.push(pending);
        answers.push({ kind: "done", outcome: limitOfBatch(turn.shard, outcome), atMs: result.atMs });
      }
    }
    turn.shard.answerWhenDurable(result.number, answered, answers, turn.partition.id);
    const [corrected] = result.outcomes;
    if (corrected !== undefined && "rebuild" in corrected && corrected.rebuild) {
      this.#parts.rebuildWhenDurable(turn, result.number);
    }
    if (again.length > 0) this.#owner.requeue(turn, again);
    for (const pending of cold) pending.didNothing();
    if (cold.length > 0) this.#parts.cold.load(turn, cold);
    if (outOfStock.length > 0) this.#parts.transfers.refill(turn, outOfStock);
  }
}

/** What an opening heals. Anything else is a bug, and asking again would only meet it again. */
export function isExpected(error: unknown): boolean {
  return error instanceof Mismatch || error instanceof RedisUnavailable;
}

function wantsFetch({ operation }: Pending, outcome: Done["outcome"]): boolean {
  return operation.op === "debit" && operation.request.fetch === true && "amount" in outcome && outcome.amount === 0;
}

/** The limit is the batch's; a shard's own part of it is nobody's business. */
function limitOfBatch({ exhausted }: Shard, outcome: Done["outcome"]): Done["outcome"] {
  const isTold = "kind" in outcome && outcome.kind === "stock_exhausted" && exhausted !== null;
  return isTold ? { ...outcome, ...exhausted } : outcome;
}

/**
 * What this very request did before its partition reopened comes back as a replay; it is the first answer all the same.
 */
function firstAnswer(pending: Pending, found: { kind: string } | OutcomeOf["debit"]): Done["outcome"] {
  const outcome = found as Done["outcome"];
  if (!("kind" in outcome)) return outcome;
  if (outcome.kind === "issued") pending.didFirst = outcome.serial;
  if (outcome.kind === "replayed" && outcome.serial === pending.didFirst) return { ...outcome, first: true };
  if (outcome.kind !== "reversed") return outcome;
  if (!outcome.replayed) pending.didFirst = outcome.reversedAtMs;
  return outcome.reversedAtMs === pending.didFirst ? { ...outcome, replayed: false } : outcome;
}
