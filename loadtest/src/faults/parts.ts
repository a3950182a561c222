import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@coupon/stack";
import { createFaultProxy, type FaultProxy } from "@coupon/testkit";
import { KafkaPart } from "./kafka-part.ts";
import { Lanes } from "./lanes.ts";
import { PostgresPart } from "./postgres-part.ts";
import { RedisPart } from "./redis-part.ts";

/** Of issuing processes and of ledgers: each has proxies of its own. */
export const PLACES = { issuing: 4, ledger: 2 } as const;
const PROCESSES = PLACES.issuing + PLACES.ledger;

/**
 * The stores that schedules break, started once for all of them: Redis, Kafka and PostgreSQL on loopback, in a
 * folder of their own, reached through proxies. They die with this process.
 */
export interface Parts {
  readonly redis: RedisPart;
  readonly kafka: KafkaPart;
  readonly postgres: PostgresPart;
  /** Those of the issuing processes, then those of the ledgers; so are Kafka's. */
  readonly redisProxies: readonly FaultProxy[];
  readonly kafkaProxies: readonly FaultProxy[];
  /** What is done to one store is done one after the other. */
  readonly lanes: Lanes;
  /** Ends every fault on every wire. */
  heal(): void;
  stop(): Promise<void>;
}

export async function startParts(): Promise<Parts> {
  // Named as those of test runs are: what a killed run leaves, the next one clears away.
  const folder = mkdtempSync(join(tmpdir(), `coupon-test-${process.pid}-faults-`));
  const [port = 0, controllerPort = 0, ...behind] = await freePorts(2 + PROCESSES);
  const kafkaProxies = await Promise.all(behind.map((to) => createFaultProxy({ port: to }, 0, { framed: true })));
  const none = { port: 9 };
  const redisProxies = await Promise.all(behind.map(() => createFaultProxy(none)));
  const postgresProxy = await createFaultProxy(none);
  const homes = { kafka: join(folder, "kafka"), postgres: join(folder, "postgres") };
  for (const home of Object.values(homes)) mkdirSync(home);
  const started = await Promise.allSettled([
    RedisPart.start(folder, redisProxies),
    KafkaPart.start(homes.kafka, { port, controllerPort, behind }, kafkaProxies),
    PostgresPart.start(homes.postgres).then((server) => new PostgresPart(homes.postgres, postgresProxy, server)),
  ]);
  const proxies = [...kafkaProxies, ...redisProxies, postgresProxy];
  const stop = async (): Promise<void> => {
    await Promise.allSettled(started.map((one) => (one.status === "fulfilled" ? one.value.stop() : undefined)));
    await Promise.allSettled(proxies.map((proxy) => proxy.close()));
    rmSync(folder, { recursive: true, force: true });
  };
  const [redis, kafka, postgres] = started;
  if (redis.status === "rejected" || kafka.status === "rejected" || postgres.status === "rejected") {
    await stop();
    throw started.find((one) => one.status === "rejected")?.reason;
  }
  return {
    ...{ redis: redis.value, kafka: kafka.value, postgres: postgres.value, redisProxies, kafkaProxies, stop },
    lanes: new Lanes(),
    heal: () => {
      for (const proxy of proxies) proxy.heal();
    },
  };
}
