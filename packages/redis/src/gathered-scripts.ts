import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";
import { type Argument, runScript, type Script } from "./scripts.ts";

interface Waiting {
  script: Script;
  keys: readonly string[];
  args: readonly Argument[];
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** Calls in one pipeline at most. */
const PIPELINE_MAX = 512;

/**
 * Runs small scripts on keys of their own, those of one turn of the event loop in one pipeline: a write to the
 * socket for each was a quarter of a redemption's CPU time. On a Cluster, whose pipelines must stay within a node,
 * each is sent by itself.
 */
export class GatheredScripts {
  readonly #redis: RedisConnection;
  #waiting: Waiting[] = [];

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /** As `runScript`. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (this.#redis.isCluster) return runScript(this.#redis, script, keys, args);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ script, keys, args, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += PIPELINE_MAX) void this.#send(waiting.slice(at, at + PIPELINE_MAX));
  }

  async #send(calls: Waiting[]): Promise<void> {
    try {
      const pipeline = this.#redis.pipeline();
      for (const { script, keys, args } of calls) pipeline.evalsha(script.sha, keys.length, ...keys, ...args);
      const replies = (await pipeline.exec()) ?? [];
      for (const [index, call] of calls.entries()) this.#settle(call, replies[index]);
    } catch (error) {
      for (const { reject } of calls) reject(redisError(error));
    }
  }

  #settle(call: Waiting, [error, reply]: [Error | null, unknown] = [new Error("no reply"), null]): void {
    if (error === null) call.resolve(reply);
    else if (error.message.startsWith("NOSCRIPT")) {
      runScript(this.#redis, call.script, call.keys, call.args).then(call.resolve, call.reject);
    } else call.reject(redisError(error));
  }
}
