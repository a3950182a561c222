import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Files that break one rule each, in a folder laid out as this repository, linted with its own configuration. */
const ROOT = join(import.meta.dirname, "../../..");

const BAD: readonly (readonly [file: string, source: string, message: string])[] = [
  ["services/issuing/src/a.ts", "@coupon/ledger", "A service imports packages, and no other service"],
  ["services/issuing/src/b.ts", "@coupon/ledger/stores", "A service imports packages, and no other service"],
  ["services/issuing/src/c.ts", "@coupon/testkit", "A service imports packages, and no other service"],
  ["services/issuing/src/d.ts", "../../ledger/src/main.ts", "Import another package by its name"],
  ["services/issuing/src/routes/claim/e.ts", "../../../../ledger/src/main.ts", "Import another package by its name"],
  ["services/issuing/src/d1.ts", "./../../ledger/src/main.ts", "Import another package by its name"],
  ["services/issuing/src/d2.ts", "./x/../../../ledger/src/main.ts", "Import another package by its name"],
  ["services/issuing/src/d3.ts", "/srv/services/ledger/src/main.ts", "Import another package by its name"],
  ["services/issuing/src/1/2/3/4/5/6/d4.ts", "../../../../../../../../ledger/src/main.ts", "Import another package"],
  ["services/issuing/src/f.ts", "ioredis", "Only packages/redis imports ioredis"],
  ["services/issuing/src/g.ts", "kafkajs", "Only packages/events imports kafkajs"],
  ["services/issuing/src/h.ts", "pg", "Only packages/database imports Prisma, pg and node-pg-migrate"],
  ["services/issuing/src/i.ts", "pg-copy-streams", "Only packages/database imports Prisma, pg and node-pg-migrate"],
  ["services/issuing/src/j.ts", "@prisma/client", "Only packages/database imports Prisma, pg and node-pg-migrate"],
  ["services/issuing/src/k.ts", "@prisma/client/runtime", "Only packages/database imports Prisma, pg"],
  ["services/issuing/src/l.ts", "node-pg-migrate", "Only packages/database imports Prisma, pg and node-pg-migrate"],
  ["services/issuing/src/m.ts", "opossum", "Only packages/service-kit imports opossum"],
  ["services/issuing/test/n.ts", "ioredis", "Only packages/redis imports ioredis"],
  ["packages/domain/src/a.ts", "fastify", "The domain imports nothing but itself"],
  ["packages/domain/src/b.ts", "node:fs", "The domain imports nothing but itself"],
  ["packages/domain/src/c.ts", "@coupon/redis", "The domain imports nothing but itself"],
  ["packages/domain/src/d.ts", "../../redis/src/index.ts", "The domain imports nothing|Import another package"],
  ["packages/client/src/a.ts", "@coupon/domain", "The SDK imports nothing internal"],
  ["packages/redis/src/a.ts", "@coupon/events", "An adapter imports packages/domain"],
  ["packages/redis/src/b.ts", "kafkajs", "Only packages/events imports kafkajs"],
  ["packages/redis/src/c.ts", "@coupon/testkit", "An adapter imports packages/domain"],
  ["packages/testkit/src/a.ts", "@coupon/domain", "The test kit imports infra/stack"],
  ["packages/history/src/a.ts", "@coupon/events", "The history checker imports packages/domain"],
  ["infra/stack/src/a.ts", "@coupon/domain", "The local stack imports no package of ours"],
  ["infra/demo/src/a.ts", "@coupon/issuing", "The demonstration imports packages and the stack"],
  ["loadtest/src/a.ts", "../../packages/redis/src/index.ts", "Import another package by its name"],
  ["scripts/a.ts", "../packages/redis/src/index.ts", "Import another package by its name"],
];

const GOOD: readonly (readonly [file: string, source: string])[] = [
  ["services/issuing/src/good/a.ts", "@coupon/redis"],
  ["services/issuing/src/good/b.ts", "@coupon/database/prisma"],
  ["services/issuing/src/good/c.ts", "../a.ts"],
  ["services/issuing/src/routes/claim/good.ts", "../../good.ts"],
  ["services/issuing/test/good.ts", "@coupon/client"],
  ["services/issuing/src/good.test.ts", "@coupon/testkit"],
  ["packages/domain/src/good.ts", "node:crypto"],
  ["packages/domain/src/good.test.ts", "fast-check"],
  ["packages/redis/src/good.ts", "ioredis"],
  ["packages/events/src/good.ts", "kafkajs"],
  ["packages/database/src/good.ts", "@prisma/adapter-pg"],
  ["packages/service-kit/src/good.ts", "opossum"],
  ["packages/history/src/good.ts", "@coupon/domain"],
  ["packages/redis/test/good.ts", "@coupon/testkit"],
  ["packages/testkit/src/good.ts", "@coupon/stack"],
  ["infra/stack/src/services/good.ts", "../stack/good.ts"],
];

/** How else a file may come to a module. */
const OTHER_WAYS = [
  'import "ioredis";',
  'export const client = await import("ioredis");',
  "export const client = await import(`ioredis`);",
  'export type Client = import("ioredis").Redis;',
  'export type Client = typeof import("ioredis");',
  'import { createRequire } from "node:module";\nexport const client = createRequire(import.meta.url)("ioredis");',
  'export const where = import.meta.resolve("ioredis");',
];

const folder = mkdtempSync(join(tmpdir(), "import-rules-"));
let output = "";

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

/** What the lint run says about one file. */
function complaintsOf(file: string): string[] {
  const blocks = output.split(/^(?=\S+\.ts(?::\d+:\d+)? (?:plugin|lint\/))/m);
  return blocks.filter((block) => block.startsWith(file)).map((block) => block.replace(/\s+/g, " "));
}

beforeAll(() => {
  for (const name of ["biome.json", "import-rules.grit"]) cpSync(join(ROOT, name), join(folder, name));
  for (const [file, source] of BAD) write(file, `export * from "${source}";\n`);
  for (const [file, source] of GOOD) write(file, `export * from "${source}";\n`);
  write("packages/redis/src/cycle/one.ts", 'import type { Two } from "./two.ts";\nexport type One = Two | 1;\n');
  write("packages/redis/src/cycle/two.ts", 'import type { One } from "./one.ts";\nexport type Two = One | 2;\n');
  for (const [index, source] of OTHER_WAYS.entries()) write(`loadtest/src/way-${index}.ts`, `${source}\n`);
  const biome = join(ROOT, "node_modules/.bin/biome");
  const run = spawnSync(biome, ["lint", "--vcs-enabled=false", "--max-diagnostics=none", "--colors=off", "."], {
    cwd: folder,
    encoding: "utf8",
  });
  output = run.stdout + run.stderr;
  expect(run.status, output).toBe(1);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(BAD)("%s may not import %s", (file, _source, message) => {
  expect(complaintsOf(file).join("\n")).toMatch(new RegExp(message));
});

test.each(GOOD)("%s may import %s", (file) => {
  expect(complaintsOf(file).filter((block) => block.includes(" plugin "))).toEqual([]);
});

test.each(OTHER_WAYS)("an import, too: %s", (source) => {
  const file = `loadtest/src/way-${OTHER_WAYS.indexOf(source)}.ts`;
  expect(complaintsOf(file).join()).toContain("Only packages/redis imports ioredis");
});

test("a cycle is refused, also one of types", () => {
  expect(complaintsOf("packages/redis/src/cycle/one.ts").join()).toContain("part of a cycle");
});
