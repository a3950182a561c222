import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askRedis, kafkaIsReady, probePostgres, waitUntil } from "../src/index.ts";
import { freePortBase, processesAbout, Supervised, takenPorts } from "./supervised.ts";

/** One stack's life, told in order: each test goes on where the one before left off. */
const SECOND_START_MS_MAX = 15_000;
const root = mkdtempSync(join(tmpdir(), "stack-"));
const file = join(root, ".local/stack.json");
let base = 0;
let stack: Supervised;

interface Description {
  alpha: string;
  redisUrl: string;
  kafkaBrokers: string;
  databaseUrl: string;
  operatorToken: string;
  pids: { redis: number; kafka: number; postgres: number; alpha: number; beta: [number, number] };
}

function describeStack(): Description {
  return JSON.parse(readFileSync(file, "utf8")) as Description;
}

function exists(pid: number): boolean {
  return processesAbout(root).some((line) => line.startsWith(`${pid} `));
}

async function redisSays(...words: string[]): Promise<string | undefined> {
  return (await askRedis(base + 20, ...words))?.toString();
}

beforeAll(async () => {
  base = await freePortBase();
  stack = new Supervised(root, base);
  await stack.said(/^up$/);
});

afterAll(async () => {
  await stack.end("SIGKILL");
  const last = new Supervised(root, base);
  await last.said(/^up$/);
  await last.end("SIGTERM");
  rmSync(root, { recursive: true, force: true });
});

test("brings up parts, then steps, then services, and says where they are", async () => {
  const at = (pattern: RegExp): number => stack.lines.findIndex((line) => pattern.test(line));
  expect(Math.max(at(/^kafka: ready/), at(/^redis: ready/), at(/^postgres: ready/))).toBeLessThan(at(/^note: done/));
  expect(at(/^note: done/)).toBeLessThan(at(/^alpha: starting/));
  const description = describeStack();
  expect(description.alpha).toBe(`http://127.0.0.1:${base}`);
  expect(description.operatorToken).toBe("secret");
  expect(await kafkaIsReady(description.kafkaBrokers)).toBe(true);
  expect(await probePostgres(new URL(description.databaseUrl))).toBe("ready");
  expect(JSON.parse(readFileSync(join(root, ".local/steps"), "utf8"))).toEqual({
    REDIS_URL: description.redisUrl,
    KAFKA_BROKERS: description.kafkaBrokers,
    DATABASE_URL: description.databaseUrl,
  });
});

test("keeps its secrets to its owner, and out of what it prints", () => {
  const modes = ["stack.json", "secrets.json"].map((name) => statSync(join(root, ".local", name)).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600]);
  const password = new URL(describeStack().databaseUrl).password;
  expect(password.length).toBeGreaterThan(12);
  expect(stack.lines.join("\n")).not.toContain(password);
});

test("refuses a second stack in the same folder", async () => {
  const second = new Supervised(root, base);
  expect(await second.said(/^failed/)).toBe(
    `failed stack_running: A stack already runs in ${root} (pid ${stack.process.pid}): stop it with Ctrl-C or \`kill ${stack.process.pid}\`, or use it: its addresses are in .local/stack.json.`,
  );
  expect(await second.exited).toBe(1);
  expect(await redisSays("PING")).toBe("+PONG\r\n");
});

test.each(["redis", "postgres", "kafka", "alpha"] as const)(
  "starts %s again when it is killed, and keeps stack.json true",
  async (name) => {
    await redisSays("SET", `before-${name}`, "kept");
    const before = describeStack().pids[name];
    process.kill(before, "SIGKILL");
    await stack.said(new RegExp(`^${name} \\(pid ${before}\\) ended unasked by SIGKILL; starting it again in 250 ms`));
    await stack.said(new RegExp(`^${name}: ready again`));
    const after = describeStack().pids[name];
    expect(after).not.toBe(before);
    expect(exists(after)).toBe(true);
    expect(await redisSays("GET", `before-${name}`)).toBe("$4\r\nkept\r\n");
  },
);

test("starts redis empty where its append-only file is damaged, says where that is kept, and all others go on", async () => {
  const { pids } = describeStack();
  const files = join(root, ".local/redis/data/appendonlydir");
  for (const name of readdirSync(files)) appendFileSync(join(files, name), "X".repeat(100));
  process.kill(pids.redis, "SIGKILL");
  const line = await stack.said(/^redis: its append-only file is damaged/);
  expect(line).toMatch(/ and is kept in \S+\/\.local\/redis\/damaged-\S+; it starts empty, and is rebuilt /);
  const at = stack.lines.indexOf(line);
  await waitUntil(async () => stack.lines.slice(at).find((one) => /^redis: ready again/.test(one)), {
    timeoutMs: 10_000,
  });
  expect(await redisSays("DBSIZE")).toBe(":0\r\n");
  expect([describeStack().pids.kafka, describeStack().pids.alpha]).toEqual([pids.kafka, pids.alpha]);
});

test("tells the processes of one service apart", async () => {
  const [first, second] = describeStack().pids.beta;
  process.kill(second, "SIGKILL");
  await stack.said(/^beta-2: ready again/);
  const pids = describeStack().pids.beta;
  expect(pids[0]).toBe(first);
  expect(pids[1]).not.toBe(second);
});

test("after a kill -9 of the supervisor the next start ends what was left, is up in time and keeps the data", async () => {
  const { pids } = describeStack();
  const left = [pids.redis, pids.kafka, pids.postgres, pids.alpha, ...pids.beta];
  await redisSays("SET", "survivor", "kept");
  await stack.end("SIGKILL");
  expect(left.filter(exists)).toEqual(left);

  const since = performance.now();
  stack = new Supervised(root, base);
  await stack.said(/^up$/);
  expect(performance.now() - since).toBeLessThan(SECOND_START_MS_MAX);
  expect(stack.lines[0]).toMatch(/^stopped what an earlier start left running: .*redis.*/);
  expect(left.filter(exists)).toEqual([]);
  expect(await redisSays("GET", "survivor")).toBe("$4\r\nkept\r\n");
});

test("stops on Ctrl-C and leaves no process, no port and no stack.json", async () => {
  expect(await stack.end("SIGINT")).toBe(0);
  expect(stack.lines.at(-1)).toBe("stopped; the data stays in .local");
  expect(processesAbout(root)).toEqual([]);
  expect(await takenPorts(base)).toEqual([]);
  expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
});

test.each(["redis: starting", "kafka: starting", "alpha: starting"])(
  "stopped at “%s”, it leaves nothing either, and the next start is whole",
  async (moment) => {
    stack = new Supervised(root, base);
    await stack.said(new RegExp(`^${moment}`));
    await stack.end("SIGTERM");
    expect(processesAbout(root)).toEqual([]);
    expect(await takenPorts(base)).toEqual([]);
  },
);

test("kills a service that ignores SIGTERM once its time is up", async () => {
  stack = new Supervised(root, base, { STUBBORN: "true" });
  await stack.said(/^up$/);
  const { pids } = describeStack();
  expect(await stack.end("SIGINT")).toBe(0);
  expect([pids.alpha, ...pids.beta].filter(exists)).toEqual([]);
});

test("a start right after a stop waits for it", async () => {
  const stopping = new Supervised(root, base, { STUBBORN: "true" });
  await stopping.said(/^up$/);
  const ended = stopping.end("SIGTERM");
  await stopping.said(/^stopping$/);
  stack = new Supervised(root, base);
  await stack.said(new RegExp(`^waiting for the stack before \\(pid ${stopping.process.pid}\\) to stop$`));
  expect(await ended).toBe(0);
  await stack.said(/^up$/);
  expect(await stack.end("SIGTERM")).toBe(0);
});
