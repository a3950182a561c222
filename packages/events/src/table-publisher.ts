import { setTimeout as delay } from "node:timers/promises";
import type { BatchDefinition, CallerDefinition } from "@coupon/domain";
import type { LogConfig } from "./config.ts";
import { LogUnavailable } from "./errors.ts";
import { cloudEventHeaders } from "./headers.ts";
import { LogLink } from "./kafka/log-link.ts";
import type { FixedHeaders, LogRecord } from "./kafka/log-session.ts";
import { sealSecret } from "./sealed-secrets.ts";
import { readBatchDefinition, readSealedCaller } from "./validate.ts";

/**
 * Publishes definitions. Publishing again is harmless, so it is tried until it is confirmed, in the order of
 * the calls. Definitions are checked against their schema first: MessageInvalid, and nothing was sent.
 */
export interface TablePublisher {
  /** @throws LogUnavailable after `timeoutMs` (default 10 s): it may or may not be published */
  publishBatch(definition: BatchDefinition, timeoutMs?: number): Promise<void>;
  /**
   * Publishes a caller with each secret sealed.
   * @throws LogUnavailable after `timeoutMs` (default 10 s): it may or may not be published
   */
  publishCaller(caller: CallerDefinition, timeoutMs?: number): Promise<void>;
  /** Deletes a key from the table. @throws LogUnavailable like the others */
  remove(topic: "batches" | "callers", key: string, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface TablePublisherOptions {
  config: LogConfig;
  /** What publishes, such as `/campaigns`; goes into `ce_source`. */
  source: string;
  /** 32 bytes (see `readSecretsKey`); needed by `publishCaller` alone. */
  secretsKey?: Uint8Array;
}

const TIMEOUT_MS = 10_000;
const ATTEMPT_MS = 3_000;
const RETRY_MS = 100;

export function createTablePublisher({ config, source, secretsKey }: TablePublisherOptions): TablePublisher {
  const links = { batches: new LogLink(config, "batches"), callers: new LogLink(config, "callers") };
  const headers: Record<keyof typeof links, FixedHeaders> = {
    batches: cloudEventHeaders("coupon.batch.v1", source),
    callers: cloudEventHeaders("coupon.caller.v1", source),
  };
  const closing = new AbortController();
  let last: Promise<unknown> = Promise.resolve();

  const publish = (
    topic: keyof typeof links,
    key: string,
    value: string | null,
    version: string,
    timeoutMs: number,
  ) => {
    const record: LogRecord = { key, value, id: `${key}.${version}`, epoch: null, headers: headers[topic] };
    const mine = last.then(() => sendUntil(links[topic], record, performance.now() + timeoutMs, closing.signal));
    last = mine.catch(() => {});
    return mine;
  };

  return {
    async publishBatch(definition, timeoutMs = TIMEOUT_MS) {
      const text = JSON.stringify(definition);
      readBatchDefinition(text);
      await publish("batches", definition.batchId, text, String(definition.version), timeoutMs);
    },
    async publishCaller(caller, timeoutMs = TIMEOUT_MS) {
      if (secretsKey === undefined) throw new Error("publishing callers needs the key that seals their secrets");
      const text = JSON.stringify(sealCaller(secretsKey, caller));
      readSealedCaller(text);
      await publish("callers", caller.callerId, text, String(caller.version), timeoutMs);
    },
    remove: (topic, key, timeoutMs = TIMEOUT_MS) => publish(topic, key, null, "removed", timeoutMs),
    async close() {
      closing.abort();
      links.batches.close();
      links.callers.close();
      await last;
    },
  };
}

async function sendUntil(link: LogLink, record: LogRecord, deadline: number, closing: AbortSignal): Promise<void> {
  for (;;) {
    const leftMs = Math.ceil(deadline - performance.now());
    if (leftMs <= 0 || closing.aborted) throw new LogUnavailable("a definition was not confirmed in time");
    try {
      await link.session().produce([{ partition: 0, records: [record] }], Math.min(leftMs, ATTEMPT_MS));
      return;
    } catch (error) {
      if (deadline - performance.now() <= RETRY_MS || closing.aborted) throw error;
      await delay(RETRY_MS, undefined, { signal: closing }).catch(() => {});
    }
  }
}

function sealCaller(secretsKey: Uint8Array, caller: CallerDefinition): CallerDefinition {
  const keys = caller.keys.map((key) => ({
    ...key,
    secret: sealSecret(secretsKey, key.secret, `${caller.callerId}/${key.keyId}`),
  }));
  return { ...caller, keys };
}
