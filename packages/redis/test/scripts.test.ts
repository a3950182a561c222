import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RedisConnection } from "../src/index.ts";
import { loadScript, runScript } from "../src/testing.ts";
import { connect, ShardUnderTest } from "./support/shard.ts";

const folder = new URL("../src/scripts/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".lua"));

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

test.each(names)("%s states its keys, arguments and reply, and compiles", async (name) => {
  const text = readFileSync(new URL(name, folder), "utf8");
  expect(text).toMatch(/^#!lua/);
  const header = /^#!lua.*\n((?:--(?!-).*\n)+)/.exec(text)?.[1] ?? "";
  expect(header).toMatch(/KEYS|includes\/requests\.lua/);
  expect(header).toMatch(/Reply|Outcome|-> /);
  const script = loadScript(name.replace(".lua", ""));
  expect(script.text).not.toContain("@include");
  expect(await redis.script("LOAD", script.text)).toBe(script.sha);
});

test("no file is longer than a reader's patience", () => {
  for (const name of names) expect(readFileSync(new URL(name, folder), "utf8").split("\n").length).toBeLessThan(200);
});

test("a server that has lost the scripts gets them again", async () => {
  const shard = await ShardUnderTest.open(redis, {});
  await redis.script("FLUSH");
  await shard.issue("ann");
  await redis.script("FLUSH");
  await shard.issue("bob");
  expect(shard.number).toBe(3);
});

test("an error of a script is thrown as it is", async () => {
  await expect(runScript(redis, loadScript("lease"), ["t{1}:m", "t{1}:p"], ["nothing"])).rejects.toThrow(/nil value/);
});
