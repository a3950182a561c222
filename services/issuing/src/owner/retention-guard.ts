import type { RetentionReads } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { Answer, Operation, OperationName } from "./operation.ts";

/** How near the ledger's lag in a partition has come to what the log keeps. */
export const lagLevels = { clear: 0, near: 1, stopsNew: 2, stopsAll: 3 } as const;
export type LagLevel = (typeof lagLevels)[keyof typeof lagLevels];

export interface RetentionGuardResources {
  log: Pick<RetentionReads, "retention" | "firstSince">;
  /** Where the ledger stands, by partition; those that it has never touched are left out. */
  positions(): Promise<ReadonlyMap<number, number>>;
  partitions: number;
  /** Share of the retention that the oldest entry not applied may be old before what is new is refused. */
  shareMax: number;
  everyMs: number;
  now(): number;
  logger: Logger;
}

const RETRY_AFTER_SECONDS = 30;
/** What goes on until everything stops: it ends what was begun, and is the last that an overload would refuse. */
const lasting: ReadonlySet<OperationName> = new Set(["redeem", "release", "reverse"]);

/**
 * Stops issuing before an entry could leave the log that the ledger has not applied. Every few seconds, apart from any
 * request, it asks where the ledger stands and which entries the log holds from before the ages that matter:
 *
 * - from half of `shareMax` of the retention it warns;
 * - from `shareMax` claims, grants and locks are refused;
 * - from half-way between `shareMax` and 1 redemptions, releases and reversals, too. They come last, as under overload,
 *   for each ends what a caller or a user has begun; yet none may be acknowledged and then lost.
 *
 * What is on record is answered always. Rules, deactivations and transfers go on, for they stop losses. While
 * PostgreSQL can't say where the ledger stands it is taken to stand still, so that a state unknown for too long stops
 * issuing, too, and only where entries were written meanwhile; a process that starts then takes it to be where the log
 * ends. A byte limit, which nobody here can compare with an age, counts as `shareMax`.
 */
export class RetentionGuard {
  readonly #resources: RetentionGuardResources;
  readonly #levels: Uint8Array;
  #positions: ReadonlyMap<number, number> | null = null;
  #knownAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(resources: RetentionGuardResources) {
    this.#resources = resources;
    this.#levels = new Uint8Array(resources.partitions);
    this.#knownAtMs = resources.now();
  }

  /** Whether only what is on record may be answered to this operation. */
  stops(partition: number, operation: OperationName): boolean {
    const level = this.#levels[partition] as LagLevel;
    if (level < lagLevels.stopsNew || operation === "deactivate" || operation === "debit") return false;
    return level === lagLevels.stopsAll || !lasting.has(operation);
  }

  /** Partitions at this level. */
  count(level: LagLevel): number {
    return this.#levels.reduce((sum, each) => (each === level ? sum + 1 : sum), 0);
  }

  /** Since when nobody could say where the ledger stands, in seconds. */
  unknownSeconds(): number {
    return (this.#resources.now() - this.#knownAtMs) / 1_000;
  }

  start(): void {
    const round = async () => {
      await this.check();
      if (!this.#closed) this.#timer = setTimeout(round, this.#resources.everyMs).unref();
    };
    void round();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Looks once; what can't be asked leaves everything as it was. Never throws. */
  async check(): Promise<void> {
    await this.#readPositions();
    try {
      await this.#judge();
    } catch (error) {
      this.#resources.logger.warn({ because: (error as Error).message }, "the log's retention can't be compared");
    }
  }

  async #readPositions(): Promise<void> {
    const { positions, logger, now } = this.#resources;
    try {
      this.#positions = await positions();
      this.#knownAtMs = now();
    } catch (error) {
      logger.warn({ because: (error as Error).message }, "nobody can say where the ledger stands");
    }
  }

  async #judge(): Promise<void> {
    const { log, partitions, shareMax, now, logger } = this.#resources;
    const { ms, bytes } = await log.retention();
    if (ms === null && bytes === null) return void this.#levels.fill(lagLevels.clear);
    const shares = [shareMax / 2, shareMax, (1 + shareMax) / 2];
    const at = now();
    // Before the offset of the first entry younger than a share of the retention, all is older.
    const firsts = await Promise.all(shares.map((share) => log.firstSince(ms === null ? 0 : at - share * ms)));
    this.#positions ??= await endsOf(log, partitions, at);
    for (let partition = 0; partition < partitions; partition += 1) {
      const position = this.#positions.get(partition) ?? 0;
      const age = firsts.filter((first) => position < (first[partition] as number)).length as LagLevel;
      const level = bytes === null ? age : Math.max(age, lagLevels.stopsNew);
      if (level > (this.#levels[partition] as number)) {
        logger.error(
          { partition, position, level, retentionMs: ms, bytes },
          "the ledger's lag nears the log's retention",
        );
      }
      this.#levels[partition] = level;
    }
  }
}

/** Nothing is younger than the future: the ends of the log. */
async function endsOf(log: Pick<RetentionReads, "firstSince">, partitions: number, atMs: number) {
  const ends = await log.firstSince(atMs + 365 * 86_400_000);
  return new Map(Array.from({ length: partitions }, (_, partition) => [partition, ends[partition] as number]));
}

/**
 * Asks for what is on record alone, and says `ledger_behind` where nothing is. A request that its caller may not make
 * is refused as ever.
 */
export async function askRecord(operation: Operation, ask: (operation: Operation) => Promise<Answer>): Promise<Answer> {
  const { request } = operation;
  if (!("permitted" in request) || !request.permitted) return ask(operation);
  const answer = await ask({ ...operation, request: { ...request, permitted: false } } as Operation);
  if (answer.kind !== "done" || !("kind" in answer.outcome)) return answer;
  const { outcome } = answer;
  const stopped = outcome.kind === "not_permitted" || (outcome.kind === "refused" && outcome.code === "not_permitted");
  return stopped ? { kind: "ledger_behind", retryAfterSeconds: RETRY_AFTER_SECONDS } : answer;
}
