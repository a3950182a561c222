import { randomBytes } from "node:crypto";
import { CouponClient } from "@coupon/client";
import type { BatchDefinition } from "@coupon/domain";
import { createTablePublisher } from "@coupon/events";
import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { eventually, freePorts, type ServiceProcess, startServiceProcess } from "@coupon/testkit";
import { batchOf, HASH_KEY, INTERNAL_TOKEN, World } from "./world.ts";

/** A ledger in this process, real issuing beside it, and people who look after the books. */
export class Platform {
  readonly world: World;
  readonly redis: RedisConnection;
  readonly calls: ShardCalls;
  readonly client: CouponClient;
  readonly issuing: ServiceProcess[];
  readonly #closers: (() => Promise<unknown>)[];

  private constructor(
    world: World,
    redis: RedisConnection,
    client: CouponClient,
    issuing: ServiceProcess[],
    closers: (() => Promise<unknown>)[],
  ) {
    this.world = world;
    this.redis = redis;
    this.client = client;
    this.issuing = issuing;
    this.#closers = closers;
    this.calls = createShardCalls({ redis, prefix: world.keyPrefix, hashKey: Buffer.from(HASH_KEY, "base64") });
  }

  static async start(
    processes = 1,
    ledgerEnv: (world: World) => Record<string, string> = () => ({}),
  ): Promise<Platform> {
    const world = await World.create();
    const secretsKey = randomBytes(32);
    const secret = randomBytes(32).toString("base64");
    const publisher = createTablePublisher({ config: world.log.config, source: "/test", secretsKey });
    await publisher.publishCaller({
      ...{ callerId: "shop", version: 1, name: "shop", status: "live" },
      keys: [{ keyId: "live_shop1", secret, revoked: false }],
    });
    await publisher.close();
    const ports = (await freePorts(1 + 2 * processes)) as number[];
    const port = ports[0] ?? 0;
    const ledger = await world.start({ ISSUING_INTERNAL_URL: `http://127.0.0.1:${ports[1]}`, ...ledgerEnv(world) });
    const env = {
      ...world.env(),
      CALLER_SECRETS_KEY: secretsKey.toString("base64"),
      LEDGER_URL: ledger.address,
      INTERNAL_TOKEN,
      LEASE_TTL_MS: "800",
      REUSE_PORT: "true",
    };
    const issuing = [];
    for (let index = 0; index < processes; index += 1) {
      const internal = String(ports[1 + index]);
      const own = { ...env, INTERNAL_PORT: internal, PROCESS_ID: `p${index}-${world.keyPrefix}` };
      const readyUrl = `http://127.0.0.1:${internal}/readyz`;
      issuing.push(await startServiceProcess({ main: "services/issuing/src/main.ts", env: own, port, readyUrl }));
    }
    const redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
    const client = new CouponClient({ baseUrl: `http://127.0.0.1:${port}`, keyId: "live_shop1", secret });
    return new Platform(world, redis, client, issuing, [
      () => world.close(),
      () => redis.close(),
      ...issuing.map((each) => () => each.stop()),
      () => client.close(),
    ]);
  }

  /** Publishes a batch and waits until it issues: `first` gets its first coupon. */
  async batch(number: number, change: Partial<BatchDefinition> = {}, first = "first"): Promise<BatchDefinition> {
    const definition = batchOf(number, { stock: { total: 10_000, perUser: 5 }, shards: 1, ...change });
    await this.world.publish(definition);
    await eventually(async () => (await this.client.claim(definition.batchId, { userId: first })).ok, {
      timeoutMs: 30_000,
    });
    return definition;
  }

  async claim(batchId: string, userId: string): Promise<string> {
    const result = await this.client.claim(batchId, { userId });
    if (!result.ok) throw new Error(`claim: ${JSON.stringify(result)}`);
    return result.value.couponId;
  }

  async redeem(userId: string, couponId: string, orderId: string): Promise<void> {
    const order = {
      amount: 2_000,
      currency: "CNY",
      lines: [{ lineId: "1", productId: "p", quantity: 2, unitAmount: 1_000 }],
    };
    const result = await this.client.redeem(orderId, { userId, couponIds: [couponId], order });
    if (!result.ok) throw new Error(`redeem: ${JSON.stringify(result)}`);
  }

  /** Waits until an audit of these, started now by an operator, has ended, and gives it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  async audit(ask: object = {}): Promise<any> {
    const started = await this.world.post("/reconciliations", ask, "olga", ["operator"]);
    if (started.status !== 201) throw new Error(started.text);
    return this.ended(started.body.reconciliationId);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async ended(reconciliationId: string): Promise<any> {
    return eventually(
      async () => {
        const { body } = await this.world.ops(`/reconciliations/${reconciliationId}`);
        return body.finishedAt === null ? false : body;
      },
      { timeoutMs: 60_000 },
    );
  }

  /** Proposes a correction of these discrepancies, has it approved by somebody else, and waits until it is applied. */
  async correct(reconciliationId: string, discrepancyIds: number[]): Promise<void> {
    const path = `/reconciliations/${reconciliationId}/corrections`;
    const proposed = await this.world.post(path, { discrepancyIds, reason: "planted" }, "olga", ["operator"]);
    if (proposed.status !== 201) throw new Error(proposed.text);
    const { correctionId } = proposed.body;
    const headers = { "if-match": proposed.headers.get("etag") ?? "" };
    const approved = await this.world.post(`${path}/${correctionId}/approve`, undefined, "paul", ["approver"], headers);
    if (approved.status !== 200) throw new Error(approved.text);
    await eventually(
      async () => {
        const { body } = await this.world.ops(`/reconciliations/${reconciliationId}`);
        // biome-ignore lint/suspicious/noExplicitAny: as above
        return body.corrections.find((each: any) => each.correctionId === correctionId).state === "applied";
      },
      { timeoutMs: 30_000 },
    );
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async proof(): Promise<any> {
    return (await this.world.ops("/reconciliations")).body.proof;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}
