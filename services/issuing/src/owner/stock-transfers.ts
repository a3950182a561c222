import type { ShardHeader } from "@coupon/redis";
import type { Answer } from "./operation.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import type { Pending } from "./pending.ts";
import type { Shard } from "./shard.ts";

/** An empty shard asks for this much at least, so that a crowd at its door does not ask for each coupon. */
const AMOUNT_MIN = 32;

/** `fetch`: a shard that has nothing left fetches what is still on its way to it. */
interface Wish {
  amount: number;
  fetch: boolean;
  /** When to give up waiting for the shard's own last entry to be durable. */
  untilMs: number;
}

type Refilled = { kind: "moved" | "not_now" } | { kind: "exhausted"; used: number; max: number; version: number };

interface Standing {
  credited: Map<number, number>;
  own: ShardHeader | null;
}

type Sought = { moved: true } | { moved: false; issued: number; certain: boolean };

/**
 * Stock moves between the shards of a batch by a debit entry of the source first and a credit entry of the
 * target only once the debit is durable. Transfers of a (source, target) pair are numbered: a debit that was
 * never credited is handed out again instead of a new one, and a credit is applied once. Only the last debit is
 * remembered, so the next one is asked for only once the credit before it is durable. "Sold out" is said
 * only when the durable issues of all shards add up to the batch's stock; until then "not now".
 */
export class StockTransfers {
  readonly #owner: OwnerContext;
  readonly #waiting = new Map<string, { turn: ShardTurn; pendings: Pending[] }>();
  readonly #fetching = new Set<string>();

  constructor(owner: OwnerContext) {
    this.#owner = owner;
  }

  isExhausted(shard: Shard): boolean {
    if (this.#owner.resources.batches.shardsOf(shard.address.batch).length <= 1) return true;
    return shard.rulesVersion > 0 && shard.exhaustedAtVersion === shard.rulesVersion;
  }

  /** Gets stock for claims that found their shard empty, and asks the shard again; or tells them why not. */
  refill(turn: ShardTurn, pendings: Pending[]): void {
    const { key } = turn.shard;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.pendings.push(...pendings);
      return;
    }
    this.#waiting.set(key, { turn, pendings });
    this.#refill(turn)
      .catch((error: unknown) => {
        this.#owner.resources.logger.warn({ because: (error as Error).message, shard: key }, "no stock could be moved");
        return { kind: "not_now" as const };
      })
      .then((result) => this.#finish(turn, result));
  }

  /** Answers claims that have waited since before `beforeMs`: nothing was done for them, and stock is still on its way. */
  expire(beforeMs: number): void {
    for (const waiting of this.#waiting.values()) {
      const { turn, pendings } = waiting;
      if (!pendings.some(({ arrivedAtMs }) => arrivedAtMs < beforeMs)) continue;
      waiting.pendings = pendings.filter(({ arrivedAtMs }) => arrivedAtMs >= beforeMs);
      tellNotNow(
        turn,
        pendings.filter(({ arrivedAtMs }) => arrivedAtMs < beforeMs),
      );
    }
  }

  #finish(turn: ShardTurn, result: Refilled): void {
    const { partition, shard } = turn;
    const pendings = this.#waiting.get(shard.key)?.pendings ?? [];
    this.#waiting.delete(shard.key);
    if (result.kind === "not_now") {
      tellNotNow(turn, pendings);
      return;
    }
    const current = partition.shard(shard.address) ?? shard;
    if (result.kind === "exhausted") {
      current.exhaustedAtVersion = Math.min(result.version, current.rulesVersion);
      current.exhausted = { used: result.used, max: result.max };
    }
    this.#owner.requeue({ partition, shard }, pendings);
  }

  /**
   * Gets stock for a shard that has issued more than newer rules allot to it. `short`: all shards together have
   * issued more than the batch's total by now, for good. `not_now`: stock is on its way, or a shard can't be asked.
   */
  async cover(turn: ShardTurn, shortBy: number): Promise<"moved" | "short" | "not_now"> {
    const sought = await this.#seek(turn, { amount: shortBy, fetch: true, untilMs: this.#deadline() });
    if (sought.moved) return "moved";
    const total = this.#owner.resources.batches.stockOf(turn.shard.address.batch);
    return sought.issued > total ? "short" : "not_now";
  }

  /** Fetches transfers to this shard whose credit an earlier owner did not come to. Answers nobody; may be repeated. */
  fetch(turn: ShardTurn): void {
    const { key } = turn.shard;
    if (this.#fetching.has(key)) return;
    this.#fetching.add(key);
    this.#seek(turn, { amount: 0, fetch: false, untilMs: this.#deadline() })
      .catch((error: unknown) => {
        this.#owner.resources.logger.warn({ because: (error as Error).message, shard: key }, "no stock was fetched");
      })
      .finally(() => this.#fetching.delete(key));
  }

  async #refill(turn: ShardTurn): Promise<Refilled> {
    const { batch } = turn.shard.address;
    const pendings = this.#waiting.get(turn.shard.key)?.pendings ?? [];
    const amount = Math.max(AMOUNT_MIN, pendings.length);
    // As long as the first of the claims waits.
    const untilMs = this.#deadline(pendings[0]?.arrivedAtMs);
    const sought = await this.#seek(turn, { amount, fetch: false, untilMs });
    if (sought.moved) return { kind: "moved" };
    if (!sought.certain) return { kind: "not_now" };
    const { batches } = this.#owner.resources;
    const total = batches.stockOf(batch);
    const version = batches.rulesOf(turn.shard.address)?.rules.version ?? 0;
    // A total that is older than the rules in force may be the lower one.
    if (version < turn.shard.rulesVersion) return { kind: "not_now" };
    if (sought.issued >= total) return { kind: "exhausted", used: sought.issued, max: total, version };
    // The rest is on its way to shards that nobody may claim from: they are told to fetch it, and can be asked for it then.
    const fetched = await this.#seek(turn, { amount, fetch: true, untilMs });
    return { kind: fetched.moved ? "moved" : "not_now" };
  }

  /**
   * Moves up to `amount` from the first shard of the batch that has some left. Where none has: what all of them have
   * issued, at least; `certain` where each has said so.
   */
  async #seek(turn: ShardTurn, { amount, fetch, untilMs }: Wish): Promise<Sought> {
    const { shard } = turn;
    const { batches } = this.#owner.resources;
    const { batch, shard: target } = shard.address;
    const { credited, own } = await this.#standing(turn, untilMs);
    const siblings = batches.shardsOf(batch).filter(({ shard: index }) => index !== target);
    let issued = own?.nextSerial ?? 0;
    let certain = own !== null;
    for (let i = 0; i < siblings.length; i += 1) {
      // Neighbours begin with themselves, so that empty shards don't all ask the same one.
      const source = siblings[(i + target) % siblings.length]?.shard ?? 0;
      const request = { target, amount, credited: credited.get(source) ?? 0, ...(fetch ? { fetch } : {}) };
      const debit = debited(await this.#owner.resources.ask({ op: "debit", batch, shard: source, request }));
      if (debit === null) certain = false;
      else if (debit.amount > 0) {
        await this.#credit(turn, source, debit);
        return { moved: true };
      } else issued += debit.issued;
    }
    return { moved: false, issued, certain };
  }

  /**
   * What the shard has been credited with and has issued, once that can't be lost any more: a source that was told of a
   * credit makes the next transfer, and can't hand out the one before again (docs/recovery.md). Read in a turn of its own,
   * for a credit that is under way would be seen before its number is known here.
   */
  #standing(turn: ShardTurn, untilMs: number): Promise<Standing> {
    const { partition } = turn;
    const { generation } = partition;
    const shard = partition.shard(turn.shard.address);
    const { calls } = this.#owner.resources;
    return new Promise((resolve, reject) => {
      if (shard === undefined || partition.phase === "closed") return reject(new Error("the partition was given up"));
      const late = () => reject(new Error("the shard's last entry is not durable yet"));
      const timer = setTimeout(late, Math.max(0, untilMs - performance.now())).unref();
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      const run = async () => {
        const read = Promise.all([calls.readCredits(shard.address), calls.readHeaders([shard.address])]);
        const [credited, [own = null]] = await read.catch((error: Error) => {
          fail(error);
          throw error;
        });
        // What another owner, or this one after another opening, has written is not known to be durable here.
        const isOurs = partition.generation === generation && own?.epoch === partition.epoch && own.hash === shard.hash;
        if (!isOurs) return fail(new Error("the partition was opened again"));
        shard.whenDurable(shard.number, () => {
          clearTimeout(timer);
          resolve({ credited, own });
        });
      };
      shard.jobs.push({ run, abandon: () => fail(new Error("the partition was opened again")) });
      this.#owner.pump(partition, shard);
    });
  }

  #deadline(sinceMs = performance.now()): number {
    return sinceMs + this.#owner.resources.deadlineMs;
  }

  #credit(turn: ShardTurn, source: number, debit: { amount: number; transfer: number }): Promise<void> {
    const { partition } = turn;
    const { generation } = partition;
    return new Promise((resolve, reject) => {
      const abandon = () => reject(new Error("the partition was opened again"));
      // The one that the turn began with may be out of use by now, and nobody would come to its jobs.
      const shard = partition.shard(turn.shard.address);
      if (shard === undefined || partition.phase === "closed") return abandon();
      const run = async () => {
        if (partition.generation !== generation) return abandon();
        const expect = shard.expectation(partition.epoch);
        const { calls } = this.#owner.resources;
        const result = await calls
          .credit(shard.address, expect, source, debit.amount, debit.transfer)
          .catch((error: unknown) => {
            reject(error);
            throw error;
          });
        if (result.kind === "mismatch") {
          abandon();
          throw new Mismatch(shard, result.found);
        }
        if (partition.generation === generation) this.#owner.applied({ partition, shard }, result, "credit");
        resolve();
      };
      shard.jobs.push({ run, abandon });
      this.#owner.pump(partition, shard);
    });
  }
}

function tellNotNow({ partition, shard }: ShardTurn, pendings: Pending[]): void {
  const place = { partition: partition.id, offset: shard.durableOffset };
  for (const pending of pendings)
    pending.done({ kind: "done", outcome: { kind: "stock_in_transfer" }, atMs: 0, place });
}

function debited(answer: Answer): { amount: number; transfer: number; issued: number } | null {
  if (answer.kind !== "done" || !("transfer" in answer.outcome)) return null;
  return answer.outcome;
}
