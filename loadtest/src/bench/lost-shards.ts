import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { connectRedis, type RedisConnection } from "@coupon/redis";
import { startRedis } from "@coupon/stack";
import type { BenchContext } from "./context.ts";

const scanCount = 1_000;
/** Bytes on their way to Redis at a time, and in one write. */
const bytesAtOnce = 1024 * 1024;

/**
 * Copies the keys that begin with `stem` to commands that make them again: one command a key, whatever it holds. That
 * is the barest load there is, for no key is written twice.
 */
export async function commandsOf(redis: RedisConnection, stem: string): Promise<{ commands: Buffer[]; keys: number }> {
  const commands: Buffer[] = [];
  let keys = 0;
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", `${stem}*`, "COUNT", scanCount);
    cursor = next;
    // The outbox belongs to the traffic of now: no rebuild writes it.
    const parts = await Promise.all(found.filter((key) => !key.endsWith(":o")).map((key) => commandOf(redis, key)));
    keys += parts.length;
    commands.push(Buffer.concat(parts));
  } while (cursor !== "0");
  return { commands, keys };
}

async function commandOf(redis: RedisConnection, key: string): Promise<Buffer> {
  if ((await redis.type(key)) === "string")
    return encode(["SET", key, (await redis.getBuffer(key)) ?? Buffer.alloc(0)]);
  const [fields, values] = await Promise.all([redis.hkeysBuffer(key), redis.hvalsBuffer(key)]);
  return encode(["HSET", key, ...fields.flatMap((field, i) => [field, values[i] as Buffer])]);
}

function encode(words: (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Seconds in which a Redis of its own, set up like the stack's, takes the commands over one pipelined connection. */
export async function timeBareLoad(context: BenchContext, commands: Buffer[], keys: number): Promise<number> {
  const settings = ["appendonly yes", "appendfsync everysec"];
  const running = await startRedis({ directory: join(context.folder, "bare"), ephemeral: true, settings });
  try {
    const startedAt = performance.now();
    await pipe(new URL(running.url), commands, keys);
    const seconds = (performance.now() - startedAt) / 1_000;
    const redis = await connectRedis({ url: running.url, cluster: false });
    const found = await redis.dbsize();
    await redis.close();
    if (found !== keys) throw new Error(`the bare load made ${found} keys of ${keys}`);
    return seconds;
  } finally {
    await running.stop();
  }
}

/** Sends all, as fast as the socket takes it, and waits for as many replies. */
async function pipe(url: URL, commands: Buffer[], expected: number): Promise<void> {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await once(socket, "connect");
  let replies = 0;
  const answered = new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("-")) reject(new Error(`Redis refused a part of the bare load: ${bytes.toString()}`));
      for (const byte of bytes) if (byte === 10) replies += 1;
      if (replies >= expected) resolve();
    });
  });
  let waiting = 0;
  for (const part of commands) {
    waiting += part.length;
    if (!socket.write(part) && waiting >= bytesAtOnce) {
      await Promise.race([once(socket, "drain"), answered]);
      waiting = 0;
    }
  }
  await answered;
  socket.destroy();
}
