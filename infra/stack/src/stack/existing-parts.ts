import type { PartName } from "../parts/part.ts";
import { kafkaIsReady } from "../probes/kafka.ts";
import { probePostgres } from "../probes/postgres.ts";
import { probeRedis, redisUrls } from "../probes/redis.ts";
import { StackFailure } from "../stack-failure.ts";

/** The variable that names a running part. */
const VARIABLES: Readonly<Record<PartName, string>> = {
  redis: "REDIS_URL",
  kafka: "KAFKA_BROKERS",
  postgres: "DATABASE_URL",
};

/** The value by which the environment names a part that runs already, `undefined` when it names none. */
export function namedPart(part: PartName): string | undefined {
  const value = process.env[VARIABLES[part]];
  return value === undefined || value === "" ? undefined : value;
}

/** An address for people: without its password. */
export function withoutPassword(address: string): string {
  return address.replace(/:\/\/([^:@/]*):[^@/]*@/g, "://$1:…@");
}

async function answers(part: PartName, value: string): Promise<boolean> {
  switch (part) {
    case "redis": {
      const states = await Promise.all(redisUrls(value).map(probeRedis));
      return states.includes("ready");
    }
    case "kafka": {
      const states = await Promise.all(value.split(",").map((broker) => kafkaIsReady(broker.trim())));
      return states.includes(true);
    }
    case "postgres":
      return (await probePostgres(new URL(value))) === "ready";
  }
}

/** Throws a StackFailure `part_unreachable` unless the part that the environment names answers. */
export async function assertAnswers(part: PartName, value: string): Promise<void> {
  const variable = VARIABLES[part];
  const ready = await answers(part, value).catch(() => false);
  if (ready) return;
  throw new StackFailure(
    "part_unreachable",
    `${variable} names ${withoutPassword(value)} and nothing ready answers there: start it, or correct or unset ${variable}.`,
  );
}
