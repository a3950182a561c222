import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { findProgram, freePorts, StackFailure, startRedis } from "../src/index.ts";
import { assertRequirements, memoryAvailableBytes } from "../src/stack/requirements.ts";
import { freePortBase, processesAbout, Supervised, takenPorts } from "./supervised.ts";

/** Each way not to start: one sentence that names what to do, and nothing left behind. */
const folder = mkdtempSync(join(tmpdir(), "failures-"));
let root = "";
let base = 0;

beforeAll(async () => {
  base = await freePortBase();
});
beforeEach(() => {
  root = mkdtempSync(join(folder, "root-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function failure(env: NodeJS.ProcessEnv): Promise<string> {
  const stack = new Supervised(root, base, env);
  const line = await stack.said(/^failed/);
  expect(await stack.exited).toBe(1);
  expect(processesAbout(root)).toEqual([]);
  expect(line.split(/(?<=[.:]) /).length).toBeLessThanOrEqual(4);
  return line;
}

/** A PATH with these programs alone. */
function pathWith(...programs: string[]): string {
  const path = mkdtempSync(join(folder, "path-"));
  for (const program of programs) symlinkSync(findProgram(program) ?? program, join(path, program));
  return path;
}

test.each([
  [0, "alpha"],
  [20, "redis"],
  [22, "kafka's controller"],
])("a port in use, PORT_BASE + %i, names the port, its user and PORT_BASE", async (offset, needs) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(base + offset, "127.0.0.1", resolve));
  try {
    const line = await failure({});
    expect(line).toContain(
      `failed port_in_use: Port ${base + offset}, which ${needs} needs, is used by pid ${process.pid} (`,
    );
    expect(line).toMatch(/: stop that or set PORT_BASE to another range\.$/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test.each([
  ["REDIS_URL", "redis://user:hidden@127.0.0.1", "redis://user:…@127.0.0.1"],
  ["KAFKA_BROKERS", "127.0.0.1", "127.0.0.1"],
  ["DATABASE_URL", "postgres://user:hidden@127.0.0.1", "postgres://user:…@127.0.0.1"],
])("%s that names nothing alive is said without its password", async (variable, address, shown) => {
  const [port] = await freePorts(1);
  expect(await failure({ [variable]: `${address}:${port}` })).toBe(
    `failed part_unreachable: ${variable} names ${shown}:${port} and nothing ready answers there: start it, or correct or unset ${variable}.`,
  );
});

test("parts that the environment names are used and not started", async () => {
  const redis = await startRedis({ directory: join(root, "elsewhere"), ephemeral: true });
  const stack = new Supervised(root, base, { REDIS_URL: redis.url });
  await stack.said(/^up$/);
  expect(stack.lines).toContain(`redis: using ${redis.url}`);
  const description = JSON.parse(readFileSync(join(root, ".local/stack.json"), "utf8"));
  expect([description.redisUrl, description.pids.redis]).toEqual([redis.url, undefined]);
  expect(await stack.end("SIGTERM")).toBe(0);
  expect(redis.child.exit).toBeUndefined();
  await redis.stop();
  expect(await takenPorts(base)).toEqual([]);
});

test("a missing part that can't be installed is named with the command that installs it", async () => {
  expect(await failure({ PATH: pathWith("id") })).toBe(
    "failed part_missing: Redis, Java can't be installed from here: run `apt-get install redis-server openjdk-17-jre-headless` as root and start again, or set REDIS_URL and KAFKA_BROKERS to running ones.",
  );
});

test("a missing part is installed through apt-get, the alternative where the first is not to be had", async () => {
  const path = pathWith("id", "java", "setpriv", "test", "touch", "ln", "sudo");
  const calls = join(root, "calls");
  // Stands for apt-get, which a test can't let loose on the machine: knows valkey-server only.
  const script = `#!/bin/sh
echo "$@" >> ${calls}
case "$*" in *redis-server*) echo "E: Unable to locate package"; exit 100;; esac
case "$*" in *valkey-server*) ln -s ${findProgram("redis-server")} ${path}/valkey-server;; esac
`;
  writeFileSync(join(path, "apt-get"), script);
  chmodSync(join(path, "apt-get"), 0o755);
  const stack = new Supervised(root, base, { PATH: path });
  await stack.said(/^up$/);
  expect(await stack.end("SIGTERM")).toBe(0);
  expect(readFileSync(calls, "utf8").trim().split("\n")).toEqual([
    "-y -q update",
    "-y -q install --no-install-recommends redis-server",
    "-y -q install --no-install-recommends valkey-server",
  ]);
});

test("a setting that can't be is named", async () => {
  expect(await failure({ PORT_BASE: "eighty" })).toBe(
    'failed setting_invalid: PORT_BASE is "eighty": set it to a whole number from 1 to 65000.',
  );
});

test("too little disk or memory is said with figures", async () => {
  const GiB = 2 ** 30;
  await expect(assertRequirements(root, { diskBytesMin: 2 ** 60, memoryBytesMin: 0 })).rejects.toThrow(
    /^The disk of .* has \d+\.\d GiB left and the stack needs 1073741824\.0 GiB: free some space and start again\.$/,
  );
  await expect(assertRequirements(root, { diskBytesMin: 0, memoryBytesMin: 2 ** 60 })).rejects.toThrow(
    /^\d+\.\d GiB of memory are available and the stack needs 1073741824\.0 GiB: close other programs and start again\.$/,
  );
  expect(memoryAvailableBytes()).toBeGreaterThan(0.1 * GiB);
});

test("a part that ends while it starts says where its log is, and shows the end of it", async () => {
  const directory = join(root, "broken");
  mkdirSync(directory);
  const started = startRedis({ directory, settings: ["no-such-setting 1"] });
  const error = await started.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StackFailure);
  expect((error as StackFailure).message).toBe(
    `redis ended while starting: read ${directory}/redis.log; Redis 7 or later is needed.`,
  );
  expect((error as StackFailure).detail).toContain("no-such-setting");
});
