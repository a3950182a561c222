import { readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createFaultProxy,
  type FaultProxy,
  freePorts,
  type Running,
  StackFailure,
  startKafka,
  startRealParts,
  startRedis,
  temporaryFolder,
} from "@coupon/testkit";

/** Real parts that may be spoiled: Redis and the broker are a simulator's own, PostgreSQL is whoever's. */
export class Parts {
  readonly #folder = temporaryFolder("faults");
  #redis: Running | null = null;
  #kafka: Running | null = null;
  #wire: FaultProxy | null = null;
  #restartKafka: () => Promise<Running> = () => Promise.reject(new Error("not started"));
  #stopShared: () => Promise<void> = async () => undefined;
  /** How long Redis' file was when the run began. */
  #fileStart = 0;

  async start(): Promise<void> {
    this.#stopShared = (await startRealParts(["postgres"])).stop;
    const [port, controllerPort, redisPort] = (await freePorts(3)) as [number, number, number];
    const wire = await createFaultProxy({ port });
    this.#wire = wire;
    this.#restartKafka = () =>
      startKafka({
        ...{ directory: join(this.#folder, "kafka"), ephemeral: true },
        ...{ port, controllerPort, advertisedPort: wire.port },
      });
    this.#redisPort = redisPort;
    const [redis, kafka] = await Promise.all([this.#startRedis(), this.#restartKafka()]);
    this.#redis = redis;
    this.#kafka = kafka;
  }

  #redisPort = 0;

  get redisPort(): number {
    return this.#redisPort;
  }

  get redisUrl(): string {
    return `redis://127.0.0.1:${this.#redisPort}`;
  }

  /** Everybody's way to the broker: it tells its clients to come through here. */
  get kafkaWire(): FaultProxy {
    if (this.#wire === null) throw new Error("the parts have not been started");
    return this.#wire;
  }

  get brokers(): string[] {
    return [`127.0.0.1:${this.kafkaWire.port}`];
  }

  #startRedis(): Promise<Running> {
    return startRedis({
      ...{ directory: join(this.#folder, "redis"), ephemeral: true, port: this.#redisPort },
      settings: ["appendonly yes", "appendfsync everysec", "auto-aof-rewrite-percentage 0"],
    });
  }

  #redisFile(): string {
    const folder = join(this.#folder, "redis", "data", "appendonlydir");
    const name = readdirSync(folder).findLast((file) => file.endsWith(".incr.aof"));
    if (name === undefined) throw new Error("Redis has no append-only file");
    return join(folder, name);
  }

  /** What Redis appends from now on is this run's. */
  beginRun(): void {
    this.#fileStart = statSync(this.#redisFile()).size;
  }

  /** Kills Redis, cuts its file at any byte that this run has written, and starts it again; empty where it won't. */
  async cutRedisShort(keptShare: number, downMs: number): Promise<void> {
    this.#redis?.kill("SIGKILL");
    await this.#redis?.child.exited;
    const file = this.#redisFile();
    const { size } = statSync(file);
    truncateSync(file, this.#fileStart + Math.floor((size - this.#fileStart) * keptShare));
    await sleep(downMs);
    try {
      this.#redis = await this.#startRedis();
    } catch (error) {
      if (!(error instanceof StackFailure)) throw error;
      rmSync(join(this.#folder, "redis", "data"), { recursive: true, force: true });
      this.#redis = await this.#startRedis();
      this.#fileStart = 0;
    }
  }

  async restartBroker(downMs: number): Promise<void> {
    this.#kafka?.kill("SIGKILL");
    await this.#kafka?.child.exited;
    await sleep(downMs);
    this.#kafka = await this.#restartKafka();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#redis?.stop(), this.#kafka?.stop(), this.#wire?.close()]);
    await this.#stopShared();
  }
}
