import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";

/** A Lua script as Redis gets it, with its includes in place. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

const INCLUDE = /^--- @include "([\w./-]+)"$/gm;

/** Puts each include in place of its line, once, before what needs it. */
function resolve(url: URL, included: Set<string>): string {
  return readFileSync(url, "utf8").replace(INCLUDE, (_line, path: string) => {
    const target = new URL(path, url);
    if (included.has(target.href)) return "";
    included.add(target.href);
    return resolve(target, included);
  });
}

/** Reads `scripts/<name>.lua`. */
export function loadScript(name: string): Script {
  const text = resolve(new URL(`./scripts/${name}.lua`, import.meta.url), new Set());
  return { name, text, sha: createHash("sha1").update(text).digest("hex") };
}

export type Argument = string | number | Buffer;

/**
 * Runs a script by its hash; by its text where the server does not have it (a fresh or failed-over one).
 * @throws RedisUnavailable where Redis can't be asked or can't serve; ReplyError where the script failed.
 */
export async function runScript(
  redis: RedisConnection,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw redisError(error);
  }
  try {
    return await redis.eval(script.text, keys.length, ...keys, ...args);
  } catch (error) {
    throw redisError(error);
  }
}

/** As `runScript`, with texts in the reply as bytes. */
export async function runScriptForBytes(
  redis: RedisConnection,
  script: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await redis.callBuffer("evalsha", script.sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw redisError(error);
  }
  try {
    return await redis.callBuffer("eval", script.text, keys.length, ...keys, ...args);
  } catch (error) {
    throw redisError(error);
  }
}
