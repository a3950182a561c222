import { createPool, ledgerSettings, type Pool, readPositions } from "@coupon/database";
import { createTestDatabase, type TestDatabase } from "@coupon/database/testing";
import { eventually } from "@coupon/testkit";
import { Applier } from "../../src/applying/applier.ts";
import type { Halt, Lane } from "../../src/applying/lane.ts";
import { TermsBook } from "../../src/posting/terms.ts";
import { batchOf } from "./world.ts";
import type { WrittenLog } from "./written-log.ts";

/** An applier, and what it has told of itself. */
export interface WatchedApplier {
  applier: Applier;
  halts: Halt[];
  failures: unknown[];
  transactions: number;
  lost: Lane[];
}

/** For what takes long on a busy machine. */
export const patient = { timeoutMs: 40_000 };

/** Knows the terms of whatever batch is asked for. */
class AnyTerms extends TermsBook {
  override of(batch: number) {
    this.put(batchOf(batch));
    return super.of(batch);
  }
}

export function ledgerPool(databaseUrl: string): Pool {
  return createPool({
    databaseUrl,
    max: 4,
    statementTimeoutMs: 5_000,
    connectionTimeoutMs: 2_000,
    settings: ledgerSettings,
  });
}

/** Hands a whole log over, from where PostgreSQL stands. */
export async function feed(applier: Applier, log: WrittenLog, partition = 0): Promise<void> {
  const from = await applier.positionOf(partition);
  await applier.accept({ partition, ...log.from(from) });
}

/** A database of one test's own, and appliers over it. */
export class ApplierBench {
  readonly pool: Pool;
  readonly #database: TestDatabase;
  readonly #running: Applier[] = [];

  private constructor(database: TestDatabase) {
    this.#database = database;
    this.pool = ledgerPool(database.databaseUrl);
  }

  static async create(): Promise<ApplierBench> {
    return new ApplierBench(await createTestDatabase());
  }

  get databaseUrl(): string {
    return this.#database.databaseUrl;
  }

  start(options: { rowsMax?: number; pool?: Pool } = {}): WatchedApplier {
    const watched: Omit<WatchedApplier, "applier"> = { halts: [], failures: [], transactions: 0, lost: [] };
    const applier = new Applier({
      pool: options.pool ?? this.pool,
      transactionsMax: 3,
      rowsMax: options.rowsMax ?? 1_000,
      bytesMax: 1024 * 1024,
      gatherMs: 0,
      restMs: { least: 0, greatest: 0 },
      terms: new AnyTerms(),
      termsWaitMs: 200,
      observer: {
        committed: () => {
          watched.transactions += 1;
        },
        failed: (error) => watched.failures.push(error),
        halted: (lane) => lane.halt !== null && watched.halts.push(lane.halt),
        lost: (lane) => watched.lost.push(lane),
      },
    });
    applier.start();
    this.#running.push(applier);
    return Object.assign(watched, { applier });
  }

  async position(partition = 0): Promise<number> {
    return (await readPositions(this.pool, [partition]))[0]?.position ?? 0;
  }

  /** Resolves once all of the log has been applied. */
  applied(log: WrittenLog, partition = 0): Promise<unknown> {
    return eventually(async () => (await this.position(partition)) === log.end, patient);
  }

  async close(): Promise<void> {
    for (const applier of this.#running.splice(0)) await applier.stop();
    await this.pool.end();
    await this.#database.drop();
  }
}
