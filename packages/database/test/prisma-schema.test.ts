import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pool } from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";
import { readPrismaTables } from "./prisma-schema.ts";
import { testPool } from "./rows.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = testPool(database.databaseUrl);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const tables = readPrismaTables();

async function columnsOf(schema: string, table: string): Promise<unknown[]> {
  const { rows } = await pool.query(
    `SELECT column_name AS name,
       udt_name || CASE WHEN datetime_precision IS NULL OR udt_name = 'date' THEN ''
         ELSE '(' || datetime_precision || ')' END AS type,
       is_nullable = 'YES' AS nullable,
       is_identity = 'YES' OR coalesce(column_default LIKE 'nextval(%', false) AS generated
     FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2`,
    [schema, table],
  );
  return rows;
}

/** Columns of the primary key, or of each unique index and constraint without a condition. */
async function keysOf(schema: string, table: string, primary: boolean): Promise<string[][]> {
  const { rows } = await pool.query<{ columns: string[] }>(
    `SELECT array_agg(a.attname::text ORDER BY k.at) AS columns
     FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, at), pg_attribute a
     WHERE i.indrelid = format('%I.%I', $1::text, $2::text)::regclass AND i.indisunique AND i.indpred IS NULL
       AND i.indisprimary = $3 AND a.attrelid = i.indrelid AND a.attnum = k.attnum
     GROUP BY i.indexrelid`,
    [schema, table, primary],
  );
  return rows.map((row) => row.columns);
}

const byName = (columns: unknown[]) => (columns as { name: string }[]).toSorted((a, b) => a.name.localeCompare(b.name));

describe("prisma/schema.prisma and the SQL migrations", () => {
  it("have the same tables in the schema management", async () => {
    const { rows } = await pool.query(
      "SELECT table_name FROM information_schema.tables WHERE table_schema = 'management' ORDER BY 1",
    );
    const names = tables.filter((table) => table.schema === "management").map((table) => table.table);
    expect(names.length).toBeGreaterThan(0);
    expect(names.toSorted()).toEqual(rows.map((row) => row.table_name));
  });

  it.each(tables.map((table) => [`${table.schema}.${table.table}`, table] as const))(
    "agree on the columns, types, nulls and keys of %s",
    async (_, table) => {
      expect(byName(await columnsOf(table.schema, table.table))).toEqual(byName(table.columns));
      expect(await keysOf(table.schema, table.table, true)).toEqual([table.primaryKey]);
      expect((await keysOf(table.schema, table.table, false)).toSorted()).toEqual(table.unique.toSorted());
    },
  );
});
