import { PrismaPg } from "@prisma/adapter-pg";
import { Prisma, PrismaClient } from "./generated/prisma/client.ts";

export { Prisma, type PrismaClient };

/** A transaction of the management tables, as `prisma.$transaction` hands it on. */
export type ManagementTransaction = Prisma.TransactionClient;

export interface PrismaSettings {
  databaseUrl: string;
  /** Connections at most; further work waits for one, at most `waitMsMax`. Default 10. */
  connectionsMax?: number;
  /** Longest wait for a connection, in milliseconds. Default 5,000. */
  waitMsMax?: number;
  /** Longest run of one statement, in milliseconds. Default 3,000. */
  statementMsMax?: number;
}

/**
 * A client of the management tables. Connects with the first query; every wait is bounded, so that a
 * database that is away shows as an error that {@link isDatabaseAway} knows. The caller ends it with
 * `$disconnect()`.
 */
export function createPrisma(settings: PrismaSettings): PrismaClient {
  const waitMsMax = settings.waitMsMax ?? 5_000;
  const statementMsMax = settings.statementMsMax ?? 3_000;
  const adapter = new PrismaPg({
    connectionString: settings.databaseUrl,
    max: settings.connectionsMax ?? 10,
    connectionTimeoutMillis: waitMsMax,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementMsMax,
    // The server's own limit does not help when the server is frozen or cut off: this one does.
    query_timeout: statementMsMax + 500,
    keepAlive: true,
  });
  return new PrismaClient({
    adapter,
    transactionOptions: { maxWait: waitMsMax, timeout: statementMsMax * 2 },
  });
}

/** Prisma's codes for a server that is away, too slow, out of connections or in conflict with itself. */
const AWAY_CODES = new Set(["P1001", "P1002", "P1008", "P1017", "P2024", "P2028", "P2034", "P2037"]);
/** PostgreSQL's: connection exceptions (08), cancelled or shutting down (57), out of resources (53). */
const AWAY_SQLSTATES = /^(?:08|53|57)[0-9A-Z]{3}$/;
/** What node-postgres says where it gives its errors no code, and Prisma of a code of PostgreSQL that it doesn't know. */
const AWAY_MESSAGES =
  /Database error\. Code: `(?:08|53|57)[0-9A-Z]{3}`|Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT/;

/**
 * Whether an error says that the database can't be reached or did not answer in time, so that the same
 * request may succeed later. What a change did that ended so is unknown.
 */
export function isDatabaseAway(error: unknown): boolean {
  for (let depth = 0, at: unknown = error; depth < 5 && at instanceof Error; depth += 1, at = at.cause) {
    if ("code" in at && typeof at.code === "string" && (AWAY_CODES.has(at.code) || AWAY_SQLSTATES.test(at.code))) {
      return true;
    }
    if (AWAY_MESSAGES.test(at.message) || isAwayCause(at.cause)) return true;
  }
  return false;
}

function isAwayCause(cause: unknown): boolean {
  if (typeof cause !== "object" || cause === null) return false;
  const code = "originalCode" in cause ? cause.originalCode : "code" in cause ? cause.code : undefined;
  return typeof code === "string" && AWAY_SQLSTATES.test(code);
}
