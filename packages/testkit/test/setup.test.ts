import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeRedis } from "@coupon/stack";
import { expect, test } from "vitest";
import { eventually, REPOSITORY, temporaryFolder } from "../src/index.ts";

const VITEST = join(REPOSITORY, "node_modules/vitest/vitest.mjs");

interface Run {
  readonly pid: number;
  readonly ended: Promise<{ status: number | null; output: string }>;
}

/** Runs vitest on one of the fixtures, as a package would. */
function vitest(fixture: string, env: NodeJS.ProcessEnv = {}): Run {
  const config = join(import.meta.dirname, "fixtures", fixture, "vitest.config.ts");
  const child = spawn(process.execPath, [VITEST, "run", "--config", config], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...env, VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const ended = new Promise<{ status: number | null; output: string }>((resolve) => {
    child.once("close", (status) => resolve({ status, output }));
  });
  return { pid: child.pid ?? 0, ended };
}

function foldersOf(pid: number): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`coupon-test-${pid}-`));
}

test("a test file that leaks fails though its tests pass", async () => {
  const { status, output } = await vitest("leaky").ended;
  expect(output).toContain("left open at the end: 1 TCPServerWrap");
  expect(status).toBe(1);
});

test("a run leaves no temporary folder, also where its tests remove none", async () => {
  const note = join(temporaryFolder(), "note");
  const { status, output } = await vitest("folders", { NOTE: note }).ended;
  expect(status, output).toBe(0);
  const made = readFileSync(note, "utf8").split("\n");
  expect([made.length, made.filter((path) => existsSync(path))]).toEqual([3, []]);
});

test("a part that the environment names is used, and left alone", async () => {
  const note = join(temporaryFolder(), "note");
  const { status, output } = await vitest("parts", { NOTE: note }).ended;
  expect(status, output).toBe(0);
  expect(readFileSync(note, "utf8")).toBe(process.env.REDIS_URL);
  expect(await probeRedis(new URL(process.env.REDIS_URL ?? ""))).toBe("ready");
});

test("concurrent runs have parts of their own, and leave nothing", async () => {
  const notes = [join(temporaryFolder(), "note"), join(temporaryFolder(), "note")];
  const runs = notes.map((note) => vitest("parts", { REDIS_URL: "", NOTE: note }));
  for (const { status, output } of await Promise.all(runs.map((run) => run.ended))) expect(status, output).toBe(0);
  const urls = notes.map((note) => readFileSync(note, "utf8"));
  expect(new Set([...urls, process.env.REDIS_URL]).size).toBe(3);
  expect(await Promise.all(urls.map((url) => probeRedis(new URL(url))))).toEqual(["away", "away"]);
  expect(runs.flatMap(({ pid }) => foldersOf(pid))).toEqual([]);
});

test("a run that is killed takes its parts with it", async () => {
  const note = join(temporaryFolder(), "note");
  const run = vitest("parts", { REDIS_URL: "", NOTE: note, HANG: "true" });
  await eventually(() => existsSync(note), { timeoutMs: 30_000 });
  const url = new URL(readFileSync(note, "utf8"));
  expect(await probeRedis(url)).toBe("ready");
  process.kill(run.pid, "SIGKILL");
  await run.ended;
  await eventually(async () => (await probeRedis(url)) === "away");
});
