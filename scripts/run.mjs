// Runs a task of this repository on a machine that has only Node.js 20 or later: `node scripts/run.mjs <task> [args]`.
// It depends on nothing that has to be installed, for installing is its first step; the task itself runs with the
// Node.js that the lockfile pins.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const BIN = join(ROOT, "node_modules", ".bin");
const NODE = join(BIN, "node");
const STAMP = join(ROOT, "node_modules", ".installed-from");
const PNPM = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).packageManager;
/** Puts the pinned pnpm into PATH; turbo runs the packages' scripts through it. */
const WITH_PNPM = ["npx", "-y", "-p", PNPM, "--"];
const GENERATE = [NODE, "packages/database/scripts/generate.ts"];

/** How often to look whether npm still lives. */
const PARENT_LOOK_MS = 250;

/** Commands of each task, run one after the other; the task's arguments go to the last. */
const TASKS = {
  start: [GENERATE, [NODE, "infra/demo/src/main.ts"]],
  replay: [GENERATE, [NODE, "infra/demo/src/replay.ts"]],
  bench: [GENERATE, [NODE, "loadtest/src/bench/main.ts"]],
  model: [[NODE, "packages/model/src/main.ts"]],
  load: [GENERATE, [NODE, "loadtest/src/load/main.ts"]],
  faults: [GENERATE, [NODE, "loadtest/src/faults/main.ts"]],
  soak: [GENERATE, [NODE, "loadtest/src/soak/main.ts"]],
  test: [[...WITH_PNPM, NODE, "scripts/test.ts"]],
  typecheck: [
    [...WITH_PNPM, join(BIN, "turbo"), "run", "typecheck", "--output-logs=errors-only"],
    [join(BIN, "tsc"), "--noEmit", "-p", "scripts"],
  ],
  lint: [[join(BIN, "biome"), "check", "--error-on-warnings", "."]],
  format: [[join(BIN, "biome"), "check", "--write", "."]],
};

/** Ends with one sentence that says what is wrong. */
function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

/** Identifies what node_modules must have been installed from. */
function wanted() {
  const hash = createHash("sha256");
  for (const name of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) hash.update(readFileSync(join(ROOT, name)));
  return hash.digest("hex");
}

function installIfNeeded() {
  const digest = wanted();
  if (existsSync(NODE) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest) return;
  process.stderr.write("Installing the npm packages of the lockfile\n");
  rmSync(STAMP, { force: true });
  // Output goes to standard error, so that a task's own output, JSON perhaps, stays clean.
  const [npx, ...words] = [
    ...WITH_PNPM,
    "pnpm",
    "install",
    "--frozen-lockfile",
    "--config.confirm-modules-purge=false",
  ];
  const { status, error } = spawnSync(npx, words, { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    fail(
      `The npm packages can't be installed (${error?.message ?? "see above"}): check that the npm registry can be reached and start again.`,
    );
  }
  mkdirSync(join(ROOT, "node_modules"), { recursive: true });
  writeFileSync(STAMP, digest);
}

/** Where it is there (every Debian and Ubuntu), the kernel tells the task when this process is killed. */
const TIED = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--"] : [];

/** Fields of /proc/<pid>/stat after the name: state, parent, …; undefined when there is no such process. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** The npm that runs this script, with or without a shell in between: its pid and start; undefined when none does. */
function findNpm() {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  for (let pid = process.ppid, steps = 0; pid > 1 && steps < 3; steps += 1) {
    const stat = statOf(pid);
    if (stat === undefined) return undefined;
    if (/\bnpm\b/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))) return { pid, startTicks: stat[19] };
    pid = Number(stat[1]);
  }
  return undefined;
}

function isGone({ pid, startTicks }) {
  const stat = statOf(pid);
  return stat === undefined || stat[0] === "Z" || stat[19] !== startTicks;
}

/**
 * Runs a command in the foreground and returns its exit status. Signals to this process are handed on. A kill of
 * npm reaches nobody but npm, and other signals end its shell first: so when npm or this process' parent is gone,
 * the task is asked to end, for nobody else would.
 */
function run(words) {
  return new Promise((resolve) => {
    const [command, ...args] = [...TIED, ...words];
    const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ""}` };
    const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", env });
    const npm = findNpm();
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (npm === undefined || (process.ppid === parent && !isGone(npm))) return;
      clearInterval(watch);
      child.kill("SIGTERM");
    }, PARENT_LOOK_MS);
    const handOn = (signal) => {
      // Ctrl-C in a terminal reaches the child by itself.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, handOn);
    child.once("error", (error) => fail(`${command} can't be run: ${error.message}`));
    child.once("exit", (code, signal) => {
      clearInterval(watch);
      for (const name of signals) process.off(name, handOn);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

const [task, ...args] = process.argv.slice(2);
const commands = TASKS[task];
if (commands === undefined) fail(`"${task}" is not a task: use one of ${Object.keys(TASKS).join(", ")}.`);
if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node.js ${process.versions.node} is too old: install Node.js 20 or later and start again.`);
}
installIfNeeded();
for (const [index, command] of commands.entries()) {
  const last = index === commands.length - 1;
  const status = await run(last ? [...command, ...args] : command);
  if (status !== 0) process.exit(status);
}
