import type { Connection, Pool } from "./pool.ts";

export type Isolation = "READ COMMITTED" | "REPEATABLE READ, READ ONLY";

/**
 * Runs `work` on one connection between BEGIN and COMMIT; rolls back when it throws. A connection that
 * can't even be rolled back is thrown away.
 */
export async function inTransaction<Result>(
  pool: Pool,
  isolation: Isolation,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await begin(pool, isolation);
  try {
    const result = await work(connection);
    await connection.query("COMMIT");
    giveBack(connection);
    return result;
  } catch (error) {
    await rollback(connection);
    throw error;
  }
}

/** A connection with an open transaction, which the caller ends with {@link rollback}. */
export async function begin(pool: Pool, isolation: Isolation): Promise<Connection> {
  const connection = await pool.connect();
  // The pool listens to idle connections only: without this, one that breaks in use would end the process.
  connection.on("error", ignore);
  try {
    await connection.query(isolation === "READ COMMITTED" ? "BEGIN" : `BEGIN ISOLATION LEVEL ${isolation}`);
  } catch (error) {
    connection.release(true);
    throw error;
  }
  return connection;
}

/** Ends the transaction without effect and gives the connection back; never throws. */
export async function rollback(connection: Connection): Promise<void> {
  try {
    await connection.query("ROLLBACK");
  } catch {
    connection.release(true);
    return;
  }
  giveBack(connection);
}

/** Throws a connection away whose server does not answer any more: a rollback would wait for it, too. */
export function abandon(connection: Connection): void {
  connection.release(true);
}

function giveBack(connection: Connection): void {
  connection.off("error", ignore);
  connection.release();
}

function ignore(): void {}
