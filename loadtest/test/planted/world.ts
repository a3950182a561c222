import { randomBytes } from "node:crypto";
import { createPool, type Pool, readPositions } from "@coupon/database";
import { createTestDatabase } from "@coupon/database/testing";
import type { BatchDefinition } from "@coupon/domain";
import {
  createEntryAppender,
  createTablePublisher,
  type EntryAppender,
  ensureTopics,
  type LogConfig,
} from "@coupon/events";
import { deleteTopics } from "@coupon/events/testing";
import type { Answer, BatchVersion, History } from "@coupon/history";
import { connectRedis, keyHashOf, type RedisConnection } from "@coupon/redis";
import {
  createIssuer,
  eventually,
  freePorts,
  type ServiceProcess,
  startServiceProcess,
  uniqueName,
} from "@coupon/testkit";
import { readLedger } from "../../src/history/read-ledger.ts";
import { readWholeLog } from "../../src/history/read-log.ts";
import { HistoryRecorder, type RecordedCaller, type Requests, type Sendable } from "../../src/history/recorder.ts";
import type { Mutation } from "./mutation.ts";

const PARTITIONS = 4;
const APPLIED_WITHIN_MS = 2_500;
const PLANT = new URL("./plant.ts", import.meta.url).href;

/** What a run itself holds of the stores, and what it asks the platform by. */
interface Parts {
  pool: Pool;
  redis: RedisConnection;
  appender: EntryAppender;
  recorder: HistoryRecorder;
}

/** A platform of one run's own over the shared stores: real processes, of which one kind may carry a planted bug. */
export class World {
  readonly shop: RecordedCaller = { callerId: "shop", keyId: "live_shop1", secret: randomBytes(32) };
  readonly hashKey = randomBytes(32);
  readonly prefix = uniqueName("b");
  readonly log: LogConfig;
  readonly #bug: Mutation | null;
  readonly #secretsKey = randomBytes(32);
  readonly #versions = new Map<string, BatchVersion[]>();
  readonly #closers: (() => Promise<unknown>)[] = [];
  readonly #env: Record<string, string> = {};
  #made: Parts | null = null;
  #ledger: ServiceProcess | null = null;
  #publisher: ReturnType<typeof createTablePublisher> | null = null;

  constructor(bug: Mutation | null) {
    this.#bug = bug;
    const brokers = (process.env.KAFKA_BROKERS ?? "").split(",");
    this.log = { brokers, topicPrefix: `${this.prefix}.`, partitions: PARTITIONS, clientId: this.prefix };
  }

  get parts(): Parts {
    if (this.#made === null) throw new Error("the world has not been started");
    return this.#made;
  }

  get ledger(): ServiceProcess {
    if (this.#ledger === null) throw new Error("the world has not been started");
    return this.#ledger;
  }

  async start(): Promise<void> {
    const [database] = await Promise.all([createTestDatabase(), ensureTopics(this.log)]);
    const issuer = await createIssuer();
    this.#closers.push(
      () => database.drop(),
      () => deleteTopics(this.log),
      () => issuer.close(),
    );
    Object.assign(this.#env, {
      KAFKA_BROKERS: this.log.brokers.join(","),
      DATABASE_URL: database.databaseUrl,
      KEY_PREFIX: this.prefix,
      TOPIC_PREFIX: this.log.topicPrefix,
      PARTITIONS: String(PARTITIONS),
      INTERNAL_TOKEN: "a-token-between-our-own-services",
      LEDGER_URL: "http://127.0.0.1:9",
      ISSUING_INTERNAL_URL: "http://127.0.0.1:9",
      ...issuer.env,
      COUPON_KEYS: JSON.stringify({ 1: randomBytes(32).toString("base64") }),
      HASH_KEY: this.hashKey.toString("base64"),
      CALLER_SECRETS_KEY: this.#secretsKey.toString("base64"),
      LEASE_TTL_MS: "3000",
      LOG_LEVEL: "warn",
    });
    const publisher = createTablePublisher({ config: this.log, source: "/test", secretsKey: this.#secretsKey });
    this.#publisher = publisher;
    this.#closers.push(() => publisher.close());
    const { callerId, keyId, secret } = this.shop;
    const keys = [{ keyId, secret: secret.toString("base64"), revoked: false }];
    await publisher.publishCaller({ callerId, version: 1, name: callerId, status: "live", keys });
    const [ledger] = await Promise.all([this.#process("ledger", {}), this.#startIssuing(database.databaseUrl)]);
    this.#ledger = ledger;
  }

  async #startIssuing(databaseUrl: string): Promise<void> {
    const pool = createPool({ databaseUrl, max: 4, statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 });
    const redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
    const appender = createEntryAppender({ config: this.log, source: "/rival" });
    this.#closers.push(
      () => pool.end(),
      () => redis.close(),
      () => appender.close(),
    );
    const [internalPort] = await freePorts(1);
    const issuing = await this.#process("issuing", {
      INTERNAL_PORT: String(internalPort),
      PROCESS_ID: uniqueName("p"),
    });
    const recorder = new HistoryRecorder(issuing.url);
    this.#closers.push(() => recorder.close());
    this.#made = { pool, redis, appender, recorder };
  }

  async #process(service: "issuing" | "ledger", env: Record<string, string>): Promise<ServiceProcess> {
    const planted = this.#bug?.in === service ? [this.#bug] : [];
    const running = await startServiceProcess({
      main: `services/${service}/src/main.ts`,
      env: {
        ...this.#env,
        ...env,
        NODE_OPTIONS: `--import ${PLANT}`,
        PLANTED: JSON.stringify(planted.map(({ file, find, replace }) => ({ file, find, replace }))),
      },
    });
    this.#closers.push(async () => {
      running.kill("SIGKILL");
      await running.child.exited;
    });
    return running;
  }

  /** Publishes a batch, or a new version of one, as campaigns would. */
  async publish(batchNumber: number, change: Partial<BatchDefinition> = {}): Promise<BatchDefinition> {
    const batchId = `batch-${batchNumber}`;
    const versions = this.#versions.get(batchId) ?? [];
    const before = versions.at(-1)?.definition ?? firstDefinition(batchNumber);
    const definition = { ...before, ...change, version: versions.length + 1 };
    versions.push({ definition, publishedAtMs: performance.now(), inForceAtMs: null });
    this.#versions.set(batchId, versions);
    await this.#publisher?.publishBatch(definition);
    return definition;
  }

  /** Sends a request again and again until something else than "not now" is answered, for some seconds at most. */
  async settle<Name extends Sendable>(op: Name, request: Requests[Name], withinMs = 4_000): Promise<Answer | null> {
    const until = performance.now() + withinMs;
    for (;;) {
      const answer = await this.parts.recorder.send(this.shop, op, request);
      const isSettled = answer !== null && answer.status !== 503 && answer.body.code !== "batch_not_started";
      const isUnpublished = answer?.body.code === "batch_not_found";
      if ((isSettled && !isUnpublished) || performance.now() > until) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  claim(batchId: string, userId: string, idempotencyKey = "k1"): Promise<Answer | null> {
    return this.settle("claim", { batchId, userId, idempotencyKey });
  }

  /** What was asked, what the log has and what PostgreSQL has, once the ledger has applied it or should have. */
  async history(): Promise<History> {
    const log = await readWholeLog(this.log, `${this.prefix}.checker`);
    const ends = new Map(log.map(({ partition, offset }) => [partition, offset + 1]));
    const applied = async () => {
      const positions = await readPositions(this.parts.pool, [...ends.keys()]);
      return positions.every(({ partition, position }) => position === ends.get(partition));
    };
    // A ledger that does not get there is told apart by its rows.
    await eventually(applied, { timeoutMs: APPLIED_WITHIN_MS }).catch(() => undefined);
    return {
      batches: [...this.#versions.values()].map((versions) => ({ versions })),
      partitions: PARTITIONS,
      operations: this.parts.recorder.operations,
      log,
      ledger: await readLedger(this.parts.pool),
      keyHash: (callerId, via, key) => keyHashOf(this.hashKey, callerId, via, key),
    };
  }

  async close(): Promise<void> {
    const [database, topics, ...rest] = this.#closers;
    for (const close of rest.reverse()) await close();
    await Promise.all([database?.(), topics?.()]);
  }
}

function firstDefinition(batchNumber: number): BatchDefinition {
  return {
    batchId: `batch-${batchNumber}`,
    batchNumber,
    version: 1,
    campaignId: "campaign-1",
    name: "Half off",
    sandbox: false,
    state: "issuing",
    revoked: false,
    template: {
      name: "Half off",
      benefit: { kind: "percent_off", basisPointsOff: 5_000, maxAmount: 500, currency: "CNY" },
      validity: { days: 30, mode: "rolling" },
      timeZone: "Asia/Shanghai",
      refundPolicy: "restore",
    },
    stock: { total: 1_000, perUser: 1 },
    issueWindow: { from: "2024-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" },
    callers: [{ callerId: "shop", may: ["issue", "redeem", "reverse", "read"] }],
    funding: [],
    timeZone: "Asia/Shanghai",
    shards: 1,
    couponKeyVersion: 1,
  };
}
