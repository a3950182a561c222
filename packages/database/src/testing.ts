import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { migrate, migrationsFolder } from "./migrate.ts";

export interface TestDatabase extends AsyncDisposable {
  databaseUrl: string;
  /** Drops it, ending whatever connections it has. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** A server on which databases may be created; DATABASE_URL by default. */
  serverUrl?: string;
  /** False gives an empty database without any table. */
  migrated?: boolean;
}

/** Any fixed number: the advisory lock under which templates are made. */
const LOCK = 5_201_712_345_114;
const templates = new Map<string, Promise<string>>();

/**
 * A database of its own for a test, cloned from one that was migrated once for this state of the
 * migrations (about 40 ms). The template stays on the server for the next run.
 */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = options.serverUrl ?? process.env.DATABASE_URL;
  if (!serverUrl) throw new Error("no PostgreSQL to test with: DATABASE_URL is not set");
  const template = options.migrated === false ? "template1" : await templateFor(serverUrl);
  const name = `test_${process.pid}_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const drop = () => onServer(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  return { databaseUrl: withDatabase(serverUrl, name), drop, [Symbol.asyncDispose]: drop };
}

function templateFor(serverUrl: string): Promise<string> {
  let template = templates.get(serverUrl);
  if (template === undefined) {
    template = makeTemplate(serverUrl);
    templates.set(serverUrl, template);
  }
  return template;
}

async function makeTemplate(serverUrl: string): Promise<string> {
  const name = `coupon_template_${migrationsDigest()}`;
  await onServer(serverUrl, async (client) => {
    await client.query("SELECT pg_advisory_lock($1)", [LOCK]);
    const { rows } = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (rows.length > 0) return;
    // Renamed when it is whole, so that a run that dies here leaves no half-made template.
    const unfinished = `${name}_unfinished`;
    await client.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`);
    await migrate({ databaseUrl: withDatabase(serverUrl, unfinished) });
    await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${name}`);
  });
  return name;
}

function migrationsDigest(): string {
  const hash = createHash("sha256");
  for (const file of readdirSync(migrationsFolder).sort()) {
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(join(migrationsFolder, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(serverUrl: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: withDatabase(serverUrl, "postgres") });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
