import { createTestDatabase } from "@coupon/database/testing";
import { createTablePublisher, ensureTopics, type LogConfig, type TablePublisher } from "@coupon/events";
import { deleteTopics } from "@coupon/events/testing";
import { createIssuer, type Issuer, uniqueName } from "@coupon/testkit";
import type { RecordedCaller } from "../history/recorder.ts";

export const PARTITIONS = 4;

/** Keys that a platform of a run's own works with. */
export interface OwnKeys {
  shop: Buffer;
  hash: Buffer;
  coupons: Buffer;
  callers: Buffer;
}

/** What an opened platform has of its own. */
interface Opened {
  databaseUrl: string;
  publisher: TablePublisher;
  /** Of operators' tokens. */
  issuer: Issuer;
}

/** A platform of one run's own over stores that it shares: key prefix, topics, database, one caller. */
export class OwnPlatform {
  readonly shop: RecordedCaller;
  readonly hashKey: Buffer;
  readonly prefix: string;
  readonly log: LogConfig;
  /** For each service, beside the addresses of the stores. */
  readonly env: Record<string, string> = {};
  readonly #keys: OwnKeys;
  readonly #closers: (() => Promise<unknown>)[] = [];
  #opened: Opened | null = null;

  constructor(stem: string, brokers: string[], keys: OwnKeys) {
    this.prefix = uniqueName(stem);
    this.shop = { callerId: "shop", keyId: "live_shop1", secret: keys.shop };
    this.hashKey = keys.hash;
    this.#keys = keys;
    this.log = { brokers, topicPrefix: `${this.prefix}.`, partitions: PARTITIONS, clientId: this.prefix };
  }

  get databaseUrl(): string {
    return this.opened.databaseUrl;
  }

  protected get opened(): Opened {
    if (this.#opened === null) throw new Error("the platform has not been started");
    return this.#opened;
  }

  /** Makes database and topics, publishes the caller, and says what all services of this platform are told. */
  protected async open(serverUrl?: string): Promise<void> {
    const [database, issuer] = await Promise.all([
      createTestDatabase(serverUrl === undefined ? {} : { serverUrl }),
      createIssuer(),
      ensureTopics(this.log),
    ]);
    this.onClose(() => database.drop());
    this.onClose(() => deleteTopics(this.log));
    this.onClose(() => issuer.close());
    Object.assign(this.env, issuer.env, {
      DATABASE_URL: database.databaseUrl,
      KEY_PREFIX: this.prefix,
      TOPIC_PREFIX: this.log.topicPrefix,
      PARTITIONS: String(PARTITIONS),
      INTERNAL_TOKEN: "a-token-between-our-own-services",
      ISSUING_INTERNAL_URL: "http://127.0.0.1:9",
      COUPON_KEYS: JSON.stringify({ 1: this.#keys.coupons.toString("base64") }),
      HASH_KEY: this.hashKey.toString("base64"),
      CALLER_SECRETS_KEY: this.#keys.callers.toString("base64"),
      LOG_LEVEL: "warn",
    });
    const publisher = createTablePublisher({ config: this.log, source: "/test", secretsKey: this.#keys.callers });
    this.onClose(() => publisher.close());
    this.#opened = { databaseUrl: database.databaseUrl, publisher, issuer };
    const { callerId, keyId, secret } = this.shop;
    const keys = [{ keyId, secret: secret.toString("base64"), revoked: false }];
    await publisher.publishCaller({ callerId, version: 1, name: callerId, status: "live", keys });
  }

  /** What is opened last is closed first; database and topics go last, and at once. */
  protected onClose(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    const [database, topics, ...rest] = this.#closers;
    for (const close of rest.reverse()) await close();
    await Promise.all([database?.(), topics?.()]);
  }
}
