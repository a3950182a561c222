import { describe, expect, it } from "vitest";
import { createPool, describeDatabase, explainFailure, isRefusedByData, isUnavailable } from "../src/index.ts";
import { isDatabaseAway } from "../src/prisma.ts";
import { createTestDatabase } from "../src/testing.ts";
import { testPool } from "./rows.ts";

async function failureOf(databaseUrl: string, text: string): Promise<unknown> {
  const pool = testPool(databaseUrl, 1);
  try {
    return await pool.query(text).then(
      () => null,
      (error: unknown) => error,
    );
  } finally {
    await pool.end();
  }
}

describe("errors of PostgreSQL", () => {
  it("are told apart: refused for the data, away for now, neither", async () => {
    await using database = await createTestDatabase();
    const { databaseUrl } = database;
    const kinds = async (text: string) => {
      const error = await failureOf(databaseUrl, text);
      return [isRefusedByData(error), isUnavailable(error)];
    };
    expect(await kinds("INSERT INTO ledger.partition_position VALUES (-1, 0, 0)")).toEqual([true, false]);
    expect(await kinds("SELECT 99999999999::integer")).toEqual([true, false]);
    expect(await kinds("SELECT pg_terminate_backend(pg_backend_pid())")).toEqual([false, true]);
    expect(await kinds("SET statement_timeout = 1; SELECT pg_sleep(10)")).toEqual([false, true]);
    expect(await kinds("SELECT * FROM nothing")).toEqual([false, false]);
  });

  it("of connecting are away for now, and one sentence without the password", async () => {
    const databaseUrl = "postgres://anna:hush@127.0.0.1:1/coupon";
    const error = await failureOf(databaseUrl, "SELECT 1");
    expect(isUnavailable(error)).toBe(true);
    expect(explainFailure(databaseUrl, error).message).toBe(
      "PostgreSQL at 127.0.0.1:1/coupon can't be reached: connect ECONNREFUSED 127.0.0.1:1",
    );
    expect(describeDatabase("hush")).not.toContain("hush");
  });

  it("are away for now where Prisma tells no more than PostgreSQL's code", () => {
    const told = (code: string) =>
      new Error(`Invalid invocation:\n\nDatabase error. Code: \`${code}\`. Message: \`…\``);
    expect(isDatabaseAway(told("57P03"))).toBe(true);
    expect(isDatabaseAway(told("42P01"))).toBe(false);
  });

  it("are none of the program's own mistakes", () => {
    expect(isUnavailable(new Error("x is not a function"))).toBe(false);
    expect(isUnavailable("away")).toBe(false);
  });
});

describe("createPool", () => {
  it("waits for a connection no longer than told, and opens no more than told", async () => {
    await using database = await createTestDatabase();
    const pool = createPool({
      databaseUrl: database.databaseUrl,
      max: 1,
      statementTimeoutMs: 5_000,
      connectionTimeoutMs: 1_500,
    });
    const held = await pool.connect();
    const error = await pool.query("SELECT 1").catch((reason: unknown) => reason);
    expect(isUnavailable(error)).toBe(true);
    expect(pool.totalCount).toBe(1);
    held.release();
    await pool.end();
  });

  it("reads bigint as a number, and refuses one that a number does not hold", async () => {
    await using database = await createTestDatabase();
    const pool = testPool(database.databaseUrl, 1);
    expect((await pool.query("SELECT 9007199254740991::bigint AS n")).rows).toEqual([{ n: 9_007_199_254_740_991 }]);
    await expect(pool.query("SELECT 9007199254740993::bigint AS n")).rejects.toThrow(RangeError);
    await pool.end();
  });
});
