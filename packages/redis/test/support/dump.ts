import type { RedisConnection } from "../../src/index.ts";

/** Header fields that belong to where and when a shard lives, not to what was decided in it. */
const HEADER_ONLY = new Set(["e", "d", "o", "off"]);

/** Every key with a prefix, and all that is in it, as comparable data; bytes as hex. */
export async function dump(redis: RedisConnection, prefix: string): Promise<Record<string, unknown>> {
  const entries: [string, unknown][] = [];
  for (const key of (await redis.keys(`${prefix}{*`)).sort()) {
    const name = key.slice(prefix.length);
    if (name.endsWith(":o")) continue;
    entries.push([name, await dumpKey(redis, key, name.endsWith(":h"))]);
  }
  return Object.fromEntries(entries);
}

async function dumpKey(redis: RedisConnection, key: string, isHeader: boolean): Promise<unknown> {
  const type = await redis.type(key);
  if (type === "string") return (await redis.getBuffer(key))?.toString("hex");
  if (type !== "hash") throw new Error(`${key} is a ${type}`);
  const fields = (await redis.callBuffer("HGETALL", key)) as Buffer[] | Map<Buffer, Buffer>;
  const flat = Array.isArray(fields) ? fields : [...fields].flat();
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const field = (flat[i] as Buffer).toString(isHeader ? "latin1" : "hex");
    if (!isHeader || !HEADER_ONLY.has(field)) pairs.push([field, (flat[i + 1] as Buffer).toString("hex")]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return { fields: Object.fromEntries(pairs), expires: (await redis.pttl(key)) > 0 };
}
