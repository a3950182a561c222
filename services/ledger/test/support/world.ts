import { randomBytes } from "node:crypto";
import { createPool, type Pool, readPositions } from "@coupon/database";
import { createTestDatabase, type TestDatabase } from "@coupon/database/testing";
import { type BatchDefinition, createCouponIdCodec, parseCouponKeys } from "@coupon/domain";
import {
  createEntryAppender,
  createTablePublisher,
  type EntryAppender,
  encodeLogPosition,
  type LogConfig,
  type TablePublisher,
} from "@coupon/events";
import { createTestLog, type TestLog } from "@coupon/events/testing";
import { createIssuer, eventually, type Issuer, uniqueName } from "@coupon/testkit";
import { type RunningLedger, startLedger } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import type { StoryEntry } from "./shard-story.ts";

export const INTERNAL_TOKEN = "internal-token-of-tests";
const COUPON_KEYS = JSON.stringify({ 1: randomBytes(32).toString("base64") });
export const HASH_KEY = randomBytes(32).toString("base64");
const APPEND_TIMEOUT_MS = 20_000;

export const batchOf = (batchNumber: number, overrides: Partial<BatchDefinition> = {}): BatchDefinition => ({
  batchId: `bat_${batchNumber}`,
  batchNumber,
  version: 1,
  campaignId: "cmp_1",
  name: "Singles' Day",
  sandbox: false,
  state: "issuing",
  revoked: false,
  template: {
    name: "Five off",
    benefit: { kind: "amount_off", amount: 500, currency: "CNY" },
    validity: { from: "2020-01-01T00:00:00Z", until: "2050-01-01T00:00:00Z" },
    timeZone: "Asia/Shanghai",
    refundPolicy: "restore",
  },
  stock: { total: 1_000_000, perUser: 100 },
  issueWindow: { from: "2020-01-01T00:00:00Z", until: "2050-01-01T00:00:00Z" },
  callers: [{ callerId: "shop", may: ["issue", "redeem", "reverse", "read"] }],
  funding: [],
  timeZone: "Asia/Shanghai",
  shards: 4,
  couponKeyVersion: 1,
  ...overrides,
});

export interface Answer {
  status: number;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  headers: Headers;
}

/** A database and a log of one test's own, and ledgers over them. */
export class World {
  readonly database: TestDatabase;
  readonly log: TestLog;
  readonly pool: Pool;
  readonly issuer: Issuer;
  readonly keyPrefix = uniqueName("l");
  readonly codec = createCouponIdCodec(parseCouponKeys(COUPON_KEYS));
  readonly #appender: EntryAppender;
  readonly #publisher: TablePublisher;
  readonly #epochs = new Map<number, number>();
  readonly #ends = new Map<number, number>();
  readonly #ledgers: RunningLedger[] = [];

  private constructor(database: TestDatabase, log: TestLog, issuer: Issuer) {
    this.issuer = issuer;
    this.database = database;
    this.log = log;
    this.pool = createPool({
      databaseUrl: database.databaseUrl,
      max: 3,
      statementTimeoutMs: 10_000,
      connectionTimeoutMs: 5_000,
    });
    this.#appender = createEntryAppender({ config: log.config, source: "/issuing/test" });
    this.#publisher = createTablePublisher({ config: log.config, source: "/campaigns/test" });
  }

  static async create(options: Partial<LogConfig> = {}): Promise<World> {
    const [database, log, issuer] = await Promise.all([
      createTestDatabase(),
      createTestLog({ partitions: 3, ...options }),
      createIssuer(),
    ]);
    return new World(database, log, issuer);
  }

  /** Settings of a ledger over this world. */
  env(overrides: Record<string, string> = {}): Record<string, string> {
    const { brokers, topicPrefix, partitions } = this.log.config;
    return {
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_LEVEL: "silent",
      DATABASE_URL: this.database.databaseUrl,
      KAFKA_BROKERS: brokers.join(","),
      TOPIC_PREFIX: topicPrefix,
      PARTITIONS: String(partitions),
      INTERNAL_TOKEN,
      COUPON_KEYS,
      REDIS_URL: process.env.REDIS_URL ?? "",
      KEY_PREFIX: this.keyPrefix,
      HASH_KEY,
      ISSUING_INTERNAL_URL: "http://127.0.0.1:9",
      AUDIT_HOUR: "-1",
      ...this.issuer.env,
      ...overrides,
    };
  }

  /** Starts a ledger in this process, with a clock of its own where given; it is closed with the world. */
  async start(overrides: Record<string, string> = {}, now?: () => number): Promise<RunningLedger> {
    const ledger = await startLedger(readConfig(this.env(overrides)), now);
    this.#ledgers.push(ledger);
    return ledger;
  }

  /** The ledgers that run. */
  get ledgers(): RunningLedger[] {
    return [...this.#ledgers];
  }

  /** Ends a ledger before the world does. */
  async stop(ledger: RunningLedger): Promise<void> {
    this.#ledgers.splice(this.#ledgers.indexOf(ledger), 1);
    await ledger.close();
  }

  async publish(...definitions: BatchDefinition[]): Promise<void> {
    for (const definition of definitions) await this.#publisher.publishBatch(definition);
  }

  /** A new owner of the partition. */
  async marker(partition: number): Promise<void> {
    const marker = { v: 1, kind: "marker", owner: "test", at: Date.now() } as const;
    const epoch = await this.#appender.appendMarker(partition, marker, APPEND_TIMEOUT_MS);
    this.#epochs.set(partition, epoch);
    this.#ends.set(partition, epoch + 1);
  }

  /** Writes entries to the log and answers the last one's `Log-Position`. */
  async append(partition: number, entries: StoryEntry[], epoch = this.#epochs.get(partition)): Promise<string> {
    if (epoch === undefined) {
      await this.marker(partition);
      return this.append(partition, entries);
    }
    const [written] = await this.#appender.append([{ partition, epoch, entries }], APPEND_TIMEOUT_MS);
    const last = (written?.baseOffset ?? 0) + entries.length - 1;
    this.#ends.set(partition, last + 1);
    return encodeLogPosition(partition, last);
  }

  /** Waits until the ledger has applied all that was written here. */
  async applied(timeoutMs = 60_000): Promise<void> {
    const partitions = [...this.#ends.keys()];
    await eventually(
      async () => {
        const positions = await readPositions(this.pool, partitions);
        const behind = partitions.filter(
          (each) =>
            (positions.find(({ partition }) => partition === each)?.position ?? 0) < (this.#ends.get(each) ?? 0),
        );
        if (behind.length > 0) throw new Error(`partitions ${behind} are behind: ${JSON.stringify(positions)}`);
        return true;
      },
      { timeoutMs },
    );
  }

  couponId(
    batch: BatchDefinition,
    shard: number,
    coupon: { serial: number; userId: string; issuedAtMs: number },
  ): string {
    const { batchNumber, couponKeyVersion: keyVersion } = batch;
    const issuedAtSeconds = Math.floor(coupon.issuedAtMs / 1_000);
    return this.codec.encode({ keyVersion, batchNumber, shard, serial: coupon.serial, issuedAtSeconds }, coupon.userId);
  }

  async get(path: string, headers: Record<string, string> = {}, ledger = this.#ledgers[0]): Promise<Answer> {
    const response = await fetch(`${ledger?.address}${path}`, {
      headers: { authorization: `Bearer ${INTERNAL_TOKEN}`, "x-caller-id": "shop", ...headers },
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.includes("json") === true;
    return { status: response.status, text, body: json ? JSON.parse(text) : null, headers: response.headers };
  }

  /** Asks the operators' API with the token of somebody who has these roles; of nobody where null. */
  async ops(path: string, roles: string[] | null = ["finance"], ledger = this.#ledgers[0]): Promise<Answer> {
    const authorization = roles === null ? "" : `Bearer ${await this.issuer.token("fay", roles)}`;
    return this.get(`/ops/v1${path}`, { authorization }, ledger);
  }

  /** Asks the operators' API to do something, as this person with these roles. */
  async post(
    path: string,
    body: object | undefined,
    subject: string,
    roles: string[],
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#ledgers[0]?.address}/ops/v1${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await this.issuer.token(subject, roles)}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, body: text === "" ? null : JSON.parse(text), headers: response.headers };
  }

  async close(): Promise<void> {
    for (const ledger of this.#ledgers) await ledger.close();
    await this.#appender.close();
    await this.#publisher.close();
    await this.pool.end();
    await this.database.drop();
    await this.log.remove();
    await this.issuer.close();
  }
}
