import pg from "pg";

export type Pool = pg.Pool;
export type Connection = pg.PoolClient;
/** What a single statement needs: a pool, or the connection of a transaction. */
export type Queryable = Pick<pg.Pool, "query">;

export interface PoolOptions {
  databaseUrl: string;
  /** Connections at most. */
  max: number;
  /** After which the server gives up on a statement; 0 for never. */
  statementTimeoutMs: number;
  /** After which the client gives up on the server; a little after the server itself unless told, where it does. */
  queryTimeoutMs?: number;
  /** Waited for a connection (a free one, or a new one) at most. */
  connectionTimeoutMs: number;
  /** Shown by the server among its sessions. */
  applicationName?: string;
  /** Settings of the server for every session, as `name: value`. */
  settings?: Record<string, string>;
}

const INT8 = 20;

/**
 * Sessions on the ledger's tables. Their statements look rows up by keys, however many there are; without
 * statistics (just after a migration) the planner would read whole partitions instead, and keep doing so in
 * prepared statements. Planning anew for every execution, over 16 partitions, takes longer than running.
 */
export const ledgerSettings = {
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  plan_cache_mode: "force_generic_plan",
  jit: "off",
  // A process that is frozen in a transaction must not keep its successor from the positions for ever.
  idle_in_transaction_session_timeout: "10000",
} as const;

/**
 * A bounded pool of connections. `bigint` columns are read as numbers; one beyond 2^53 is an error, for
 * no column of ours gets there.
 *
 * Connections that break while idle are dropped and never an uncaught error; who uses one gets the error.
 */
export function createPool(options: PoolOptions): Pool {
  const { statementTimeoutMs } = options;
  const queryTimeoutMs = options.queryTimeoutMs ?? (statementTimeoutMs === 0 ? 0 : statementTimeoutMs + 500);
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: options.max,
    statement_timeout: statementTimeoutMs,
    // The server's own limit does not help where the server is frozen or cut off: this one does.
    ...(queryTimeoutMs === 0 ? {} : { query_timeout: queryTimeoutMs }),
    connectionTimeoutMillis: options.connectionTimeoutMs,
    application_name: options.applicationName ?? "coupon",
    options: sessionSettings(options.settings ?? {}),
    keepAlive: true,
    types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
  });
  pool.on("error", () => {});
  return pool;
}

function sessionSettings(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, "\\$&")}`)
    .join(" ");
}

function typeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === INT8 && format !== "binary") return parseSafeInteger;
  return pg.types.getTypeParser(oid, format as "text");
}

function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the bigint ${text} is beyond what a number holds exactly`);
  return value;
}
