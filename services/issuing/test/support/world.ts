import { randomBytes } from "node:crypto";
import { createTestDatabase } from "@coupon/database/testing";
import type { BatchDefinition, CallerDefinition } from "@coupon/domain";
import { createTablePublisher, ensureTopics, type LogConfig } from "@coupon/events";
import { createIssuer, freePorts, uniqueName } from "@coupon/testkit";
import { startIssuing } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import { SignedCaller } from "./signed-caller.ts";

export const PARTITIONS = 4;
const INTERNAL_TOKEN = "a-token-between-our-own-services";

export interface Running {
  baseUrl: string;
  internalUrl: string;
  processId: string;
  close(): Promise<void>;
}

/** An isolated platform for tests: own key prefix, topics and database; processes started as wanted. */
export class World {
  readonly prefix = uniqueName("w");
  readonly env: Record<string, string> = {};
  readonly logConfig: LogConfig;
  readonly caller: SignedCaller;
  readonly otherCaller: SignedCaller;
  #batchNumber = 0;
  readonly #secretsKey = randomBytes(32);
  readonly #closers: (() => Promise<unknown>)[] = [];
  #publisher: ReturnType<typeof createTablePublisher> | undefined;

  #issuing: Running[] = [];

  /** @param brokers of a Kafka of the test's own; the run's by default */
  constructor(brokers = process.env.KAFKA_BROKERS ?? "") {
    this.logConfig = {
      brokers: brokers.split(","),
      topicPrefix: `${this.prefix}.`,
      partitions: PARTITIONS,
      clientId: this.prefix,
    };
    this.caller = new SignedCaller("shop", "live_shop1", randomBytes(32));
    this.otherCaller = new SignedCaller("rival", "live_rival1", randomBytes(32));
  }

  async start(): Promise<void> {
    const database = await createTestDatabase();
    const issuer = await createIssuer();
    this.#closers.push(
      () => database.drop(),
      () => issuer.close(),
    );
    await ensureTopics(this.logConfig);
    this.#publisher = createTablePublisher({ config: this.logConfig, source: "/test", secretsKey: this.#secretsKey });
    this.#closers.push(() => this.publisher.close());
    Object.assign(this.env, {
      REDIS_URL: process.env.REDIS_URL,
      KAFKA_BROKERS: this.logConfig.brokers.join(","),
      DATABASE_URL: database.databaseUrl,
      KEY_PREFIX: this.prefix,
      TOPIC_PREFIX: `${this.prefix}.`,
      PARTITIONS: String(PARTITIONS),
      INTERNAL_TOKEN,
      LEDGER_URL: "http://127.0.0.1:9",
      // A ledger that a test starts beside issuing takes what it needs from here, too.
      ISSUING_INTERNAL_URL: "http://127.0.0.1:9",
      ...issuer.env,
      COUPON_KEYS: JSON.stringify({ 1: randomBytes(32).toString("base64") }),
      HASH_KEY: randomBytes(32).toString("base64"),
      CALLER_SECRETS_KEY: this.#secretsKey.toString("base64"),
      LEASE_TTL_MS: "2000",
      LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "silent",
    });
    for (const caller of [this.caller, this.otherCaller]) await this.publishCaller(caller);
  }

  get publisher(): ReturnType<typeof createTablePublisher> {
    if (this.#publisher === undefined) throw new Error("the world has not been started");
    return this.#publisher;
  }

  async publishCaller(caller: SignedCaller, change: Partial<CallerDefinition> = {}): Promise<void> {
    await this.publisher.publishCaller({
      callerId: caller.callerId,
      version: 1,
      name: caller.callerId,
      status: "live",
      keys: [{ keyId: caller.keyId, secret: caller.secret.toString("base64"), revoked: false }],
      ...change,
    });
  }

  /** Publishes a batch as campaigns would; `change` replaces what it names. */
  async publishBatch(change: Partial<BatchDefinition> = {}): Promise<BatchDefinition> {
    this.#batchNumber += 1;
    const batchNumber = this.#batchNumber;
    const definition: BatchDefinition = {
      batchId: `batch-${batchNumber}`,
      batchNumber,
      version: 1,
      campaignId: "campaign-1",
      name: "Ten off",
      sandbox: false,
      state: "issuing",
      revoked: false,
      template: {
        name: "Ten off",
        benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
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
      ...change,
    };
    await this.publisher.publishBatch(definition);
    return definition;
  }

  /** Starts an issuing process in this one; on other ports where somebody else was quicker to take those. */
  async issuing(env: Record<string, string> = {}): Promise<Running> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#start(env);
      } catch (error) {
        if (attempt === 5 || !/ is in use;/.test((error as Error).message)) throw error;
      }
    }
  }

  async #start(env: Record<string, string>): Promise<Running> {
    const [port, internalPort] = await freePorts(2);
    const processId = uniqueName("p");
    const config = readConfig({
      ...this.env,
      PORT: String(port),
      INTERNAL_PORT: String(internalPort),
      PROCESS_ID: processId,
      ...env,
    });
    const service = await startIssuing(config);
    const running = {
      baseUrl: `http://127.0.0.1:${port}`,
      internalUrl: `http://127.0.0.1:${internalPort}`,
      processId,
      close: once(() => service.close()),
    };
    this.#closers.push(running.close);
    this.#issuing.push(running);
    this.caller.baseUrl ||= running.baseUrl;
    this.otherCaller.baseUrl ||= running.baseUrl;
    return running;
  }

  /** Ends the process that was started first, in order. */
  async stopFirst(): Promise<void> {
    await this.#issuing.shift()?.close();
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
