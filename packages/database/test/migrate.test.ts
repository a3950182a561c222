import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../src/index.ts";
import { migrationsFolder } from "../src/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";
import { testPool } from "./rows.ts";

const files = readdirSync(migrationsFolder).sort();
const names = files.map((file) => basename(file, ".sql"));
const dataFile = (name: string) => resolve(import.meta.dirname, "data-at", `${name}.sql`);
const command = resolve(import.meta.dirname, "../src/migrate.ts");

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
});

afterEach(async () => {
  await database.drop();
});

async function query<Row extends object>(text: string): Promise<Row[]> {
  const pool = testPool(database.databaseUrl, 1);
  try {
    return (await pool.query<Row>(text)).rows;
  } finally {
    await pool.end();
  }
}

/** Rows in every table of ours, by name; partitions count with their table. */
async function countRows(): Promise<Record<string, number>> {
  const tables = await query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('ledger', 'management') AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables)
    counts[name] = (await query<{ n: number }>(`SELECT count(*) AS n FROM ${name}`))[0]?.n ?? 0;
  return counts;
}

describe("migrate", () => {
  it.each(names)("has data for the version that %s makes", (name) => {
    expect(existsSync(dataFile(name)), `test/data-at/${name}.sql`).toBe(true);
  });

  it("goes forward over a database that has data at each version, and loses none", async () => {
    let before: Record<string, number> = {};
    for (const name of names) {
      expect(await migrate({ databaseUrl: database.databaseUrl, count: 1 })).toEqual([name]);
      expect(await countRows()).toMatchObject(before);
      await query(readFileSync(dataFile(name), "utf8"));
      before = await countRows();
    }
    for (const [table, rows] of Object.entries(before)) expect(rows, `${table} has data`).toBeGreaterThan(0);
    expect(await migrate({ databaseUrl: database.databaseUrl })).toEqual([]);
    expect(await countRows()).toEqual(before);
  });

  it("serialises runs that start together: each migration is run once", async () => {
    const runs = await Promise.all([1, 2, 3].map(() => migrate({ databaseUrl: database.databaseUrl })));
    expect(runs.flat().toSorted()).toEqual(names);
  });

  it("creates the database where it is missing, also when two do so at once", async () => {
    await database.drop();
    await Promise.all([migrate(database), migrate(database)]);
    expect(await countRows()).toHaveProperty(["ledger.coupon"], 0);
  });

  it("changes nothing where a migration fails, and says which and why in one sentence", async () => {
    await query("CREATE SCHEMA ledger; CREATE TABLE ledger.shard (x int)");
    await expect(migrate(database)).rejects.toThrow(/^The database .* could not be migrated: schema "ledger" already/);
    expect(await query("SELECT * FROM public.schema_migration")).toEqual([]);
  });

  it("runs from the command line", async () => {
    const env = { ...process.env, DATABASE_URL: database.databaseUrl };
    const { stdout } = await promisify(execFile)(process.execPath, [command], { env });
    expect(stdout).toContain(`migrated ${names[0]}\n`);
  });

  it.each([
    ["an address where nobody listens", "postgres://u:secret@127.0.0.1:1/x", /^PostgreSQL at 127.0.0.1:1\/x can't be/],
    ["no URL at all", "", /^DATABASE_URL is not set\n$/],
    ["something that is not a URL", "nonsense", /DATABASE_URL is not a URL/],
  ])("ends with status 1 and one sentence for %s", async (_, databaseUrl, sentence) => {
    const env = { ...process.env, DATABASE_URL: databaseUrl };
    const failure = await promisify(execFile)(process.execPath, [command], { env }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 1, stderr: expect.stringMatching(sentence) });
    const { stderr } = failure as { stderr: string };
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).not.toContain("secret");
  });
});

describe("the migrations folder", () => {
  it("holds nothing but numbered SQL files with numbers of their own", () => {
    for (const file of files) expect(file).toMatch(/^\d{4}_[a-z_]+\.sql$/);
    expect(new Set(files.map((file) => file.slice(0, 4))).size).toBe(files.length);
  });
});
