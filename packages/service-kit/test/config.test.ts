import { Type } from "typebox";
import { expect, test } from "vitest";
import { ConfigInvalid, loadConfig, setting } from "../src/index.ts";

const schema = Type.Object({
  PORT: setting.port(8080),
  HASH_KEY: setting.key32("keys the hashes"),
  KAFKA_BROKERS: setting.text("a comma list of host:port"),
  REDIS_CLUSTER: setting.flag("true for a cluster"),
  PARTITIONS: setting.integer("1–1000", { minimum: 1, maximum: 1000, fallback: 12 }),
  LOG_LEVEL: setting.logLevel(),
});
const key = Buffer.alloc(32, 5).toString("base64");
const good = { HASH_KEY: key, KAFKA_BROKERS: "k:9092" };

test("converts, fills in defaults, and takes nothing that is not asked for", () => {
  expect(loadConfig(schema, { ...good, PARTITIONS: "24", REDIS_CLUSTER: "true", HOME: "/root" })).toEqual({
    PORT: 8080,
    HASH_KEY: key,
    KAFKA_BROKERS: "k:9092",
    REDIS_CLUSTER: true,
    PARTITIONS: 24,
    LOG_LEVEL: "warn",
  });
});

test.each([
  ["a missing one", { HASH_KEY: undefined }, "HASH_KEY", /^HASH_KEY is missing; set it to 32 random bytes in base64/],
  [
    "an empty one",
    { KAFKA_BROKERS: "" },
    "KAFKA_BROKERS",
    /^KAFKA_BROKERS is missing; set it to a comma list of host:port\.$/,
  ],
  ["a short key", { HASH_KEY: "c2VjcmV0" }, "HASH_KEY", /^HASH_KEY is not valid: /],
  ["text for a number", { PORT: "http" }, "PORT", /^PORT is not valid: it must be integer; set it to a TCP port/],
  ["a number out of bounds", { PARTITIONS: "0" }, "PARTITIONS", /^PARTITIONS is not valid: it must be >= 1/],
  ["an unknown level", { LOG_LEVEL: "loud" }, "LOG_LEVEL", /^LOG_LEVEL is not valid: /],
])("%s is told in one sentence that names the variable and not its value", (_name, more, variable, sentence) => {
  let thrown: unknown;
  try {
    loadConfig(schema, { ...good, ...more });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigInvalid);
  expect((thrown as ConfigInvalid).variable).toBe(variable);
  expect((thrown as ConfigInvalid).message).toMatch(sentence);
  expect((thrown as ConfigInvalid).message).not.toContain("\n");
  for (const value of Object.values(more))
    if (value !== undefined && value.length > 1) expect((thrown as ConfigInvalid).message).not.toContain(value);
});
