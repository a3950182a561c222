/**
 * A failure of the database as one sentence that an operator can act on. The driver's own error is the
 * `cause`.
 */
export class DatabaseFailure extends Error {
  override name = "DatabaseFailure";
}

interface DriverError extends Error {
  code?: string;
}

/** Host, port and database of a connection URL; never its user or password. */
export function describeDatabase(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl);
    return `${url.hostname}:${url.port || "5432"}${url.pathname}`;
  } catch {
    return "(DATABASE_URL is not a URL)";
  }
}

/** The sentence for an error that came up while talking to the database at `databaseUrl`. */
export function explainFailure(databaseUrl: string, error: unknown): DatabaseFailure {
  if (error instanceof DatabaseFailure) return error;
  const at = describeDatabase(databaseUrl);
  const code = sqlStateOf(error) ?? "";
  const sentence = sentences[code] ?? (code.startsWith("E") || code === "" ? "can't be reached" : "refused");
  const detail = firstLine(error);
  return new DatabaseFailure(`PostgreSQL at ${at} ${sentence}: ${detail}`, { cause: error });
}

const sentences: Record<string, string> = {
  "28P01": "refused the password",
  "28000": "refused the user",
  "3D000": "has no such database",
  "53300": "has no connection left",
  "57P03": "is starting or stopping",
  "42501": "refused, for the user lacks a privilege",
};

function firstLine(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return firstLine(error.errors[0]);
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] || "no reason given";
}

/** SQLSTATE of an error of the server, or the system's code (`ECONNREFUSED`, …); undefined where it has none. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as DriverError).code;
  return typeof code === "string" ? code : undefined;
}

/**
 * Whether the server understood and said no to these very data (a constraint, a value out of range, a
 * row too large): trying the same again can't help. Everything else (a broken
 * connection, a time-out, a deadlock, a full disk) is worth another try.
 */
export function isRefusedByData(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof TypeError) return true;
  return /^(21|22|23|54)/.test(sqlStateOf(error) ?? "");
}

/** What the driver says where it gives its errors no code. */
const UNAVAILABLE =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable|Connection ended/;

/** Whether an error says that the database can't be reached or did not answer in time: later it may. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const code = sqlStateOf(error);
  // Connections, conflicts, resources, operators, the system; and errors of sockets.
  if (code !== undefined) return /^(08|25P0[234]|40|53|55|57|58)/.test(code) || /^E[A-Z]{3,}/.test(code);
  return UNAVAILABLE.test(error.message);
}
