import { randomBytes } from "node:crypto";
import { createPool, type Pool, readPositions } from "@coupon/database";
import type { BatchDefinition, Template } from "@coupon/domain";
import { createEntryAppender, type EntryAppender } from "@coupon/events";
import type { Answer, BatchVersion, History } from "@coupon/history";
import { connectRedis, keyHashOf, type RedisConnection } from "@coupon/redis";
import { eventually, freePorts, type ServiceProcess, startServiceProcess, uniqueName } from "@coupon/testkit";
import { readBooks, readLedger } from "../../src/history/read-ledger.ts";
import { readWholeLog } from "../../src/history/read-log.ts";
import { HistoryRecorder, type Requests, type Sendable } from "../../src/history/recorder.ts";
import { OwnPlatform, PARTITIONS } from "../../src/own-platform/own-platform.ts";
import { shopBatch } from "../../src/own-platform/shop-batch.ts";
import type { Mutation } from "./mutation.ts";

/** A ledger with a bug may never get there, and then each run takes this long. */
const APPLIED_WITHIN_MS = { planted: 2_500, sound: 30_000 };
const PLANT = new URL("./plant.ts", import.meta.url).href;

/** What a run itself holds of the stores, and what it asks the platform by. */
interface Parts {
  pool: Pool;
  redis: RedisConnection;
  appender: EntryAppender;
  recorder: HistoryRecorder;
}

/** A platform of one run's own over the shared stores: real processes, of which one kind may carry a planted bug. */
export class World extends OwnPlatform {
  readonly #bugs: readonly Mutation[];
  readonly #versions = new Map<string, BatchVersion[]>();
  #made: Parts | null = null;
  #ledger: ServiceProcess | null = null;

  /** @param bugs all in processes of one service */
  constructor(bugs: readonly Mutation[]) {
    const key = () => randomBytes(32);
    const keys = { shop: key(), hash: key(), coupons: key(), callers: key() };
    super("b", (process.env.KAFKA_BROKERS ?? "").split(","), keys);
    this.#bugs = bugs;
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
    await this.open();
    Object.assign(this.env, {
      KAFKA_BROKERS: this.log.brokers.join(","),
      LEDGER_URL: "http://127.0.0.1:9",
      LEASE_TTL_MS: "3000",
      SWEEP_EVERY_MS: "50",
      EXPIRY_GRACE_MS: "200",
    });
    const [ledger] = await Promise.all([this.#process("ledger", {}), this.#startIssuing(this.databaseUrl)]);
    this.#ledger = ledger;
  }

  async #startIssuing(databaseUrl: string): Promise<void> {
    const pool = createPool({ databaseUrl, max: 4, statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 });
    const redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
    const appender = createEntryAppender({ config: this.log, source: "/rival" });
    this.onClose(() => pool.end());
    this.onClose(() => redis.close());
    this.onClose(() => appender.close());
    const [internalPort] = await freePorts(1);
    const issuing = await this.#process("issuing", {
      INTERNAL_PORT: String(internalPort),
      PROCESS_ID: uniqueName("p"),
    });
    const recorder = new HistoryRecorder(issuing.url);
    this.onClose(() => recorder.close());
    this.#made = { pool, redis, appender, recorder };
  }

  async #process(service: "issuing" | "ledger", env: Record<string, string>): Promise<ServiceProcess> {
    const planted = this.#bugs.filter((bug) => bug.in === service);
    const running = await startServiceProcess({
      main: `services/${service}/src/main.ts`,
      env: {
        ...this.env,
        ...env,
        NODE_OPTIONS: `--import ${PLANT}`,
        PLANTED: JSON.stringify(planted.map(({ file, find, replace }) => ({ file, find, replace }))),
      },
    });
    this.onClose(async () => {
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
    await this.opened.publisher.publishBatch(definition);
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
    await eventually(applied, { timeoutMs: APPLIED_WITHIN_MS[this.#bugs.length === 0 ? "sound" : "planted"] }).catch(
      () => undefined,
    );
    return {
      batches: [...this.#versions.values()].map((versions) => ({ versions })),
      partitions: PARTITIONS,
      operations: this.parts.recorder.operations,
      log,
      ledger: await readLedger(this.parts.pool),
      books: await readBooks(this.parts.pool),
      keyHash: (callerId, via, key) => keyHashOf(this.hashKey, callerId, via, key),
    };
  }
}

/** As every batch of a run begins, but for what its phase changes. */
export function firstDefinition(batchNumber: number): BatchDefinition {
  const template: Template = {
    name: "Half off",
    // Two halves of it take an odd unit from the brand each, the whole only one: halves can't be split by themselves.
    benefit: { kind: "percent_off", basisPointsOff: 5_000, maxAmount: 502, currency: "CNY" },
    validity: { days: 30, mode: "rolling" },
    timeZone: "Asia/Shanghai",
    refundPolicy: "restore",
  };
  const funding = [
    { party: "brand", basisPoints: 6_000 },
    { party: "store", basisPoints: 4_000 },
  ];
  return { ...shopBatch(batchNumber, template, { stock: { total: 1_000, perUser: 1 }, shards: 1 }), funding };
}
