import type { BatchDefinition, CallerDefinition } from "@coupon/domain";
import type { LogConfig, Topic } from "./config.ts";
import { SealedSecretUnreadable } from "./errors.ts";
import { openSecret } from "./sealed-secrets.ts";
import { TopicFollower } from "./topic-follower.ts";
import { readBatchDefinition, readSealedCaller } from "./validate.ts";

export interface TableFollowerOptions<T> {
  config: LogConfig;
  topic: Extract<Topic, "batches" | "callers">;
  /** Reads a message's value; what it throws makes the message be skipped, with an alarm. */
  decode: (value: string) => T;
  /** Called after the table has changed, also while catching up; null where the key is gone. */
  onChange?: (key: string, value: T | null) => void;
  /** A message was skipped; the table keeps what it had under that key. By default it is only logged. */
  onAlarm?: (key: string, error: Error) => void;
  /** Whether a value is older than the one that is held, and to be passed over. */
  isOlder?: (value: T, held: T) => boolean;
}

/** A compacted topic, held in process and followed for ever. */
export interface TableFollower<T> {
  /**
   * Resolves once the table holds everything that the topic held at the start.
   * @throws LogUnavailable where that takes longer than 30 s
   * @throws SealedSecretUnreadable where secrets don't open with the key given
   */
  start(): Promise<void>;
  get(key: string): T | undefined;
  values(): IterableIterator<T>;
  close(): Promise<void>;
}

/** A change is seen within this, and at once where the topic is not idle. */
const MAX_WAIT_MS = 500;

export function createTableFollower<T>(options: TableFollowerOptions<T>): TableFollower<T> {
  const { config, topic, decode, onChange, onAlarm, isOlder } = options;
  const table = new Map<string, T>();
  let wrongKey: SealedSecretUnreadable | null = null;
  let started = false;

  const skip = (key: string, error: Error) => {
    if (error instanceof SealedSecretUnreadable && !started) wrongKey ??= error;
    config.log?.("error", `a message of ${topic} is skipped: ${error.message}`, { key });
    onAlarm?.(key, error);
  };

  const apply = (key: string, text: string | null) => {
    if (text === null) {
      if (table.delete(key)) onChange?.(key, null);
      return;
    }
    const value = decode(text);
    const held = table.get(key);
    if (held !== undefined && isOlder?.(value, held)) return;
    table.set(key, value);
    onChange?.(key, value);
  };

  const follower = new TopicFollower({
    config,
    topic,
    from: "earliest",
    maxWaitMs: MAX_WAIT_MS,
    onMessage(key, text) {
      try {
        apply(key, text);
      } catch (error) {
        skip(key, error instanceof Error ? error : new Error(String(error)));
      }
    },
  });

  return {
    async start() {
      await follower.start();
      started = true;
      if (wrongKey === null) return;
      await follower.close();
      throw wrongKey;
    },
    get: (key) => table.get(key),
    values: () => table.values(),
    close: () => follower.close(),
  };
}

type DefinitionOptions<T> = Omit<TableFollowerOptions<T>, "topic" | "decode" | "isOlder">;

/** The batches as campaigns publishes them, checked against their schema; an older version never replaces a newer one. */
export function createBatchFollower(options: DefinitionOptions<BatchDefinition>): TableFollower<BatchDefinition> {
  return createTableFollower({ ...options, topic: "batches", decode: readBatchDefinition, isOlder: olderVersion });
}

/**
 * The callers with their secrets opened, checked against their schema; an older version never replaces a newer one.
 * @param secretsKey 32 bytes: see `readSecretsKey`
 */
export function createCallerFollower(
  options: DefinitionOptions<CallerDefinition> & { secretsKey: Uint8Array },
): TableFollower<CallerDefinition> {
  const { secretsKey, ...rest } = options;
  const decode = (text: string) => openCaller(secretsKey, readSealedCaller(text));
  return createTableFollower({ ...rest, topic: "callers", decode, isOlder: olderVersion });
}

/** @throws SealedSecretUnreadable */
function openCaller(secretsKey: Uint8Array, caller: CallerDefinition): CallerDefinition {
  const keys = caller.keys.map((key) => ({
    ...key,
    secret: openSecret(secretsKey, key.secret, `${caller.callerId}/${key.keyId}`),
  }));
  return { ...caller, keys };
}

function olderVersion(value: { version: number }, held: { version: number }): boolean {
  return value.version < held.version;
}
