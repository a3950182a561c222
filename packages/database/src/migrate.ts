import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { runner } from "node-pg-migrate";
import pg from "pg";
import { DatabaseFailure, describeDatabase, explainFailure, sqlStateOf } from "./failure.ts";

export interface MigrateOptions {
  databaseUrl: string;
  /** Stop after so many further migrations; all by default. */
  count?: number;
}

/** Where the SQL files are: plain SQL, run in the order of the number that their names begin with. */
export const migrationsFolder = resolve(import.meta.dirname, "../migrations");

/** Any fixed number: the advisory lock behind which concurrent runs queue. */
const LOCK = 5_201_712_345_113;
const CONNECT_TIMEOUT_MS = 10_000;

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Brings the database to the newest version, creating it first where the server has none of that name.
 * Each migration is one transaction; a second run at the same time waits for the first, and finds nothing
 * left to do.
 *
 * @returns names of the migrations that were run, in order
 * @throws DatabaseFailure, one sentence: not reachable, not allowed, or which migration failed and why
 */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  await ensureDatabase(options.databaseUrl);
  try {
    const done = await runner({
      databaseUrl: { connectionString: options.databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
      dir: migrationsFolder,
      direction: "up",
      migrationsTable: "schema_migration",
      migrationsSchema: "public",
      advisoryLockMode: "wait",
      lockValue: LOCK,
      logger: silent,
      ...(options.count === undefined ? {} : { count: options.count }),
    });
    return done.map((migration) => migration.name);
  } catch (error) {
    throw explainMigration(options.databaseUrl, error);
  }
}

async function ensureDatabase(databaseUrl: string): Promise<void> {
  try {
    await withClient(databaseUrl, async () => {});
  } catch (error) {
    if (sqlStateOf(error) !== "3D000") throw explainFailure(databaseUrl, error);
    await createDatabase(databaseUrl);
  }
}

async function createDatabase(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = "/postgres";
  try {
    await withClient(url.href, (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`));
  } catch (error) {
    // 42P04 and, in a race, 23505: somebody else has just created it.
    const code = sqlStateOf(error);
    if (code !== "42P04" && code !== "23505") throw explainFailure(databaseUrl, error);
  }
}

async function withClient(databaseUrl: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on("error", () => {});
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

function explainMigration(databaseUrl: string, error: unknown): DatabaseFailure {
  const code = sqlStateOf(error);
  if (code === undefined || /^(E|08|28|3D|57)/.test(code)) return explainFailure(databaseUrl, error);
  const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  return new DatabaseFailure(`The database ${describeDatabase(databaseUrl)} could not be migrated: ${reason}`, {
    cause: error,
  });
}

async function runFromCommandLine(): Promise<void> {
  const databaseUrl = process.env.DATABASE_URL;
  if (!databaseUrl) throw new DatabaseFailure("DATABASE_URL is not set");
  const done = await migrate({ databaseUrl });
  for (const name of done) console.log(`migrated ${name}`);
  console.log(`${describeDatabase(databaseUrl)} is at the newest version`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  runFromCommandLine().catch((error: unknown) => {
    console.error(error instanceof DatabaseFailure ? error.message : error);
    process.exitCode = 1;
  });
}
