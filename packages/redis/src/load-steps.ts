import type { RedisConnection } from "./connect.ts";
import { RestoreRefused } from "./errors.ts";
import { type Argument, loadScript, runScript, type Script } from "./scripts.ts";
import type { ShardAddress } from "./shard-calls.ts";

export const stepScripts = {
  buckets: loadScript("load-buckets"),
  slots: loadScript("load-slots"),
  marks: loadScript("load-marks"),
};

/** Steps under way at a time: enough that neither side waits for the other. */
const STEPS_AT_ONCE = 4;

/** Somebody else has begun to drop or load the shard since. */
class LoadDisturbed extends Error {}

export function expectDone(reply: unknown, at: ShardAddress): void {
  if (reply !== 1) throw new LoadDisturbed(`shard ${at.batch}.${at.shard} is being loaded or dropped by somebody else`);
}

/** Sent by its hash, a step of a script that the server lacks would let those after it come first. */
export async function teachSteps(redis: RedisConnection, header: string): Promise<void> {
  for (const script of Object.values(stepScripts)) await runScript(redis, script, [header], ["", -1, "", ""]);
}

/** The steps of a load, several under way at a time; Redis takes them in their order, or not at all. */
export class LoadSteps {
  readonly #redis: RedisConnection;
  readonly #at: ShardAddress;
  readonly #header: string;
  readonly #token: string;
  readonly #underWay: Promise<unknown>[] = [];
  sent = 0;

  constructor(redis: RedisConnection, at: ShardAddress, header: string, token: string) {
    this.#redis = redis;
    this.#at = at;
    this.#header = header;
    this.#token = token;
  }

  /** Resolves when there is room for another. @throws LoadDisturbed, RestoreRefused or RedisUnavailable, of this or one before */
  async send(script: Script, named: string[], args: Argument[]): Promise<void> {
    const step = this.sent;
    this.sent += 1;
    const done = runScript(this.#redis, script, [this.#header, ...named], [this.#token, step, ...args]).catch(
      (error) => {
        throw script === stepScripts.buckets ? restoreError(error) : error;
      },
    );
    done.catch(() => undefined);
    this.#underWay.push(done);
    while (this.#underWay.length >= STEPS_AT_ONCE) expectDone(await this.#underWay.shift(), this.#at);
  }

  async settled(): Promise<void> {
    while (this.#underWay.length > 0) expectDone(await this.#underWay.shift(), this.#at);
  }
}

/** An error reply of a step that restores buckets tells of the server or its settings. */
function restoreError(error: unknown): unknown {
  return error instanceof Error && error.name === "ReplyError" ? new RestoreRefused(error.message, error) : error;
}
