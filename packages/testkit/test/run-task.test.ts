import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, REPOSITORY, temporaryFolder } from "../src/index.ts";

/**
 * scripts/run.mjs under npm, in a folder that looks installed, with a task that notes what happens to it. A signal may come
 * twice, from the terminal and handed on, as the real tasks expect.
 */
const MAIN = `
import { renameSync, writeFileSync } from "node:fs";
const place = (name) => new URL("../../../" + name, import.meta.url);
const note = (name, text) => {
  writeFileSync(place(name + ".new"), String(text));
  renameSync(place(name + ".new"), place(name));
};
note("args", JSON.stringify(process.argv.slice(2)));
if (process.argv.includes("--exit")) process.exit(7);
process.on("SIGTERM", () => { note("stopped", "SIGTERM"); process.exit(0); });
process.on("SIGINT", () => { note("stopped", "SIGINT"); process.exit(0); });
setInterval(() => {}, 1000);
note("pid", process.pid);
`;
let folder = "";
let npm: ChildProcess | undefined;

function write(name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

beforeEach(() => {
  folder = temporaryFolder("run-task");
  for (const name of ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "scripts/run.mjs"]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(join(REPOSITORY, name), join(folder, name));
  }
  write("infra/demo/src/main.ts", MAIN);
  write("packages/database/scripts/generate.ts", "");
  const hash = createHash("sha256");
  for (const name of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) hash.update(readFileSync(join(folder, name)));
  write("node_modules/.installed-from", hash.digest("hex"));
  mkdirSync(join(folder, "node_modules/.bin"));
  symlinkSync(process.execPath, join(folder, "node_modules/.bin/node"));
});

afterEach(async () => {
  npm?.kill("SIGKILL");
  if (existsSync(join(folder, "pid"))) await eventually(() => !alive(noted("pid")));
});

function noted(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}

function alive(pid: string): boolean {
  return existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
}

/** Starts a task as a user would. */
function npmRun(...words: string[]): Promise<number | null> {
  npm = spawn("npm", words, { cwd: folder, stdio: "ignore", detached: true });
  return new Promise((resolve) => npm?.once("exit", resolve));
}

function parentOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

test("hands arguments to the task and its exit status back, and installs nothing that is there", async () => {
  expect(await npmRun("start", "--", "--exit", "now")).toBe(7);
  expect(JSON.parse(noted("args"))).toEqual(["--exit", "now"]);
});

test.each(["SIGTERM", "SIGHUP", "SIGKILL"] as const)("%s to npm alone ends the task in order", async (signal) => {
  const ended = npmRun("start");
  await eventually(() => existsSync(join(folder, "pid")));
  npm?.kill(signal);
  await ended;
  expect(await eventually(() => existsSync(join(folder, "stopped")) && noted("stopped"))).toMatch(/SIGTERM|SIGINT/);
});

test("Ctrl-C, a SIGINT to all of the terminal's foreground, ends the task in order", async () => {
  const ended = npmRun("start");
  await eventually(() => existsSync(join(folder, "pid")));
  process.kill(-(npm?.pid ?? 0), "SIGINT");
  await ended;
  expect(await eventually(() => existsSync(join(folder, "stopped")) && noted("stopped"))).toBe("SIGINT");
});

test("a kill -9 of the script that runs the task ends the task in order", async () => {
  const ended = npmRun("start");
  await eventually(() => existsSync(join(folder, "pid")));
  process.kill(parentOf(noted("pid")), "SIGKILL");
  await ended;
  expect(await eventually(() => existsSync(join(folder, "stopped")) && noted("stopped"))).toBe("SIGTERM");
});

test("an unknown task is told the known ones", async () => {
  const child = spawn(process.execPath, ["scripts/run.mjs", "fly"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(1);
  expect(said).toMatch(
    /^"fly" is not a task: use one of start, replay, bench, model, load, faults, soak, test, typecheck, lint, format\.\n$/,
  );
});
