import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  createPool,
  ledgerSettings,
  openAuditSnapshot,
  type Pool,
  readBatchTransfers,
  readStrayRows,
} from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";

/** So many lines of a batch; of shard 5, which has no row, and of shard 1 a few each, between those of shard 0. */
const LINES = 60_000;
/** Rows that one statement may look at, or may sort before it gives its first. */
const STEP_MAX = 25_000;

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({
    ...{ databaseUrl: database.databaseUrl, max: 2, statementTimeoutMs: 30_000, connectionTimeoutMs: 5_000 },
    settings: ledgerSettings,
  });
  await pool.query(
    `INSERT INTO ledger.shard SELECT 7, shard, 0, 1, decode(repeat('ab', 20), 'hex'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
     FROM generate_series(0, 1) AS shard`,
  );
  await pool.query(
    `INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
     SELECT n, n, 2, 7, 1, CASE n % 10000 WHEN 9998 THEN 1 WHEN 9999 THEN 5 ELSE 0 END, 'issue', 'commitment', 'platform'
     FROM generate_series(1, $1::integer) AS n`,
    [LINES],
  );
  // Many shards that have a few rows each, and no row of their own.
  await pool.query(
    "INSERT INTO ledger.deferred_expiry SELECT 8 + n / 100, n % 100, 1 FROM generate_series(0, 39999) AS n",
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

interface Node {
  "Node Type": string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  Plans?: Node[];
}

/** The most rows that a node of the plan looked at. */
function mostRows(node: Node): number {
  const own = (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"];
  return Math.max(own, ...(node.Plans ?? []).map(mostRows));
}

function sorts(node: Node): boolean {
  return node["Node Type"] === "Sort" || (node.Plans ?? []).some(sorts);
}

/** Keeps what is asked of PostgreSQL. */
function recorded(): { db: Pool; statements: { text: string; values: unknown[] }[] } {
  const statements: { text: string; values: unknown[] }[] = [];
  const keep = (query: string | { text: string; values?: unknown[] }, values: unknown[] = []) => {
    statements.push(
      typeof query === "string" ? { text: query, values } : { text: query.text, values: query.values ?? [] },
    );
  };
  const recording = <Target extends pg.Pool | pg.PoolClient>(target: Target): Target =>
    new Proxy(target, {
      get(of, name) {
        const value = Reflect.get(of, name) as unknown;
        if (name === "connect") return async () => recording(await (of as pg.Pool).connect());
        if (typeof value !== "function") return value;
        return (...given: Parameters<typeof keep>) => {
          if (name === "query") keep(...given);
          return value.apply(of, given);
        };
      },
    });
  return { db: recording(pool), statements };
}

async function planOf({ text, values }: { text: string; values: unknown[] }): Promise<Node> {
  const { rows } = await pool.query(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${text}`, values);
  return rows[0]["QUERY PLAN"][0].Plan;
}

it("looks for stray rows in steps of a bounded size", async () => {
  const { db, statements } = recorded();
  const strays = await readStrayRows(db, null);
  expect(strays).toHaveLength(40_001);
  expect(strays).toContainEqual({ batch: 7, shard: 5, tables: ["posting"] });
  for (const each of statements) expect(mostRows(await planOf(each)), each.text).toBeLessThan(STEP_MAX);
  expect(await readStrayRows(pool, 7)).toEqual([{ batch: 7, shard: 5, tables: ["posting"] }]);
  expect(await readStrayRows(pool, 407)).toHaveLength(100);
  expect(await readStrayRows(pool, 1_000)).toEqual([]);
});

it("adds a shard's journal up in steps of a bounded size", async () => {
  const { db, statements } = recorded();
  const snapshot = await openAuditSnapshot(db, 0, 5_000);
  try {
    for (const [shard, lines] of [
      [0, LINES - 12],
      [1, 6],
    ] as const) {
      const { journal } = await snapshot.money(7, shard);
      const line = { event: "issue", account: "commitment", party: "platform" };
      expect(journal).toEqual([{ ...line, amount: 2 * lines, coupons: lines }]);
    }
  } finally {
    await snapshot.close();
  }
  const asked = statements.filter(({ text }) => text.includes("ledger.posting"));
  expect(asked.length).toBeGreaterThan(0);
  for (const each of asked) expect(mostRows(await planOf(each)), each.text).toBeLessThan(STEP_MAX);
});

it("streams a shard's journal without looking at its batch's other lines, or sorting", async () => {
  const { db, statements } = recorded();
  const snapshot = await openAuditSnapshot(db, 0, 5_000);
  const numbers: number[] = [];
  try {
    const range = { batch: 7, shard: 1, from: 1, to: LINES };
    await snapshot.journal(range, ({ number }) => void numbers.push(number));
  } finally {
    await snapshot.close();
  }
  expect(numbers).toEqual([9_998, 19_998, 29_998, 39_998, 49_998, 59_998]);
  const copies = statements.filter(({ text }) => text.startsWith("COPY"));
  expect(copies).toHaveLength(1);
  const plan = await planOf({ text: copies[0]?.text.replace(/^COPY \((.*)\) TO STDOUT$/s, "$1") ?? "", values: [] });
  expect(mostRows(plan)).toBeLessThan(STEP_MAX);
  expect(sorts(plan)).toBe(false);
});

it("adds up the transfers of the batches that are asked for alone, some batches at a time", async () => {
  const batches = Array.from({ length: 300 }, (_, index) => 1_000 + index);
  await pool.query(
    `INSERT INTO ledger.shard SELECT batch, shard, 1, 1, decode(repeat('ab', 20), 'hex'), 0, 0, 0, 0, 100 - 100 * shard, 100 * shard,
       0, 0, 0, 0, 0, 0, NULL FROM unnest($1::integer[]) AS batch, generate_series(0, 1) AS shard`,
    [batches],
  );
  await pool.query(
    `INSERT INTO ledger.transfer SELECT batch, s, n, CASE s WHEN 0 THEN 'debit' ELSE 'credit' END, 1 - s, n, 1, 0
     FROM unnest($1::integer[]) AS batch, generate_series(0, 1) AS s, generate_series(1, 100) AS n`,
    [batches],
  );
  const { db, statements } = recorded();
  const told = await readBatchTransfers(db, batches);
  expect(told.map(({ batch }) => batch).toSorted((a, b) => a - b)).toEqual(batches);
  for (const { batch: _, ...each } of told) {
    expect(each).toEqual({ debited: 100, credited: 100, inTransfer: 0, creditedAhead: 0, unequal: 0 });
  }
  for (const each of statements) expect(mostRows(await planOf(each)), each.text).toBeLessThan(STEP_MAX);
  expect(await readBatchTransfers(pool, [1_000, 5])).toHaveLength(1);
});

it("reads the places of shards in steps of a bounded size", async () => {
  await pool.query(
    `INSERT INTO ledger.shard SELECT 5000 + n / 100, n % 100, 2, 1, decode(repeat('ab', 20), 'hex'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
     FROM generate_series(0, 29999) AS n`,
  );
  const { db, statements } = recorded();
  const snapshot = await openAuditSnapshot(db, 0, 5_000);
  await snapshot.close();
  expect(new Set(snapshot.places.map(({ batch, shard }) => `${batch}.${shard}`)).size).toBe(30_602);
  for (const each of statements.filter(({ text }) => text.includes("ledger.shard"))) {
    expect(mostRows(await planOf(each)), each.text).toBeLessThan(STEP_MAX);
  }
});
