import { loadConfig } from "@coupon/service-kit";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  HOST: Type.String({ default: "127.0.0.1" }),
  PORT: Type.Integer({ minimum: 1, maximum: 65_535 }),
  /** Whether other issuing processes may listen on PORT, too; the kernel spreads connections over them. */
  REUSE_PORT: Type.Boolean({ default: false }),
  INTERNAL_PORT: Type.Integer({ minimum: 1, maximum: 65_535 }),
  /** Host under which other processes of ours reach INTERNAL_PORT. */
  INTERNAL_HOST: Type.String({ default: "127.0.0.1" }),
  INTERNAL_TOKEN: Type.String({ minLength: 16 }),
  PROCESS_ID: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9._-]{1,64}$" })),
  ISSUING_ROLES: Type.String({
    default: "claims,orders,owner",
    pattern: "^(claims|orders|owner)(,(claims|orders|owner))*$",
  }),
  REDIS_URL: Type.String(),
  REDIS_CLUSTER: Type.Boolean({ default: false }),
  KEY_PREFIX: Type.String({ default: "coupon", pattern: "^[a-z0-9._-]{1,32}$" }),
  KAFKA_BROKERS: Type.String({ minLength: 1 }),
  TOPIC_PREFIX: Type.String({ default: "coupon." }),
  PARTITIONS: Type.Integer({ default: 12, minimum: 1, maximum: 1_000 }),
  DATABASE_URL: Type.String(),
  LEDGER_URL: Type.String(),
  COUPON_KEYS: Type.String(),
  HASH_KEY: Type.String({ minLength: 40 }),
  CALLER_SECRETS_KEY: Type.String({ minLength: 40 }),
  LEASE_TTL_MS: Type.Integer({ default: 1_500, minimum: 200, maximum: 60_000 }),
  REQUEST_DEADLINE_MS: Type.Integer({ default: 5_000, minimum: 100, maximum: 60_000 }),
  /** How long an operation waits for a recovering shard before it is told so. */
  RECOVERY_PATIENCE_MS: Type.Integer({ default: 1_000, minimum: 0, maximum: 60_000 }),
  APPEND_TIMEOUT_MS: Type.Integer({ default: 2_000, minimum: 100, maximum: 60_000 }),
  /** Share of the log's retention that the oldest entry not in the ledger may be old before issuing stops. */
  RETENTION_SHARE_MAX: Type.Number({ default: 0.5, minimum: 0.01, maximum: 0.95 }),
  RETENTION_CHECK_MS: Type.Integer({ default: 5_000, minimum: 50, maximum: 60_000 }),
  PENDING_MAX: Type.Integer({ default: 50_000, minimum: 1, maximum: 1_000_000 }),
  /** Requests under way at once: where the adaptive limit begins, and between what it moves. */
  OVERLOAD_LIMIT_INITIAL: Type.Integer({ default: 768, minimum: 1, maximum: 100_000 }),
  OVERLOAD_LIMIT_MIN: Type.Integer({ default: 64, minimum: 1, maximum: 100_000 }),
  OVERLOAD_LIMIT_MAX: Type.Integer({ default: 4_096, minimum: 1, maximum: 100_000 }),
  /** How many times its usual value the latency of claims may be before the limit shrinks. */
  OVERLOAD_TOLERANCE: Type.Number({ default: 1.5, minimum: 1, maximum: 100 }),
  /** A latency of claims below this is never taken for overload. */
  OVERLOAD_LATENCY_MS_MIN: Type.Number({ default: 10.5, minimum: 0, maximum: 10_000 }),
  /** Refusals answered for each request served; what is beyond waits for its answer. */
  OVERLOAD_REFUSALS_PER_SERVED: Type.Number({ default: 0.1, minimum: 0, maximum: 1_000 }),
  /** How long a refusal's answer is held back at most; 0 never holds one. */
  OVERLOAD_HOLD_MS_MAX: Type.Integer({ default: 3_000, minimum: 0, maximum: 30_000 }),
  LOG_LEVEL: Type.String({ default: "warn" }),
});

export type IssuingConfig = Static<typeof schema>;

/** @throws ConfigInvalid with one sentence that says which setting is wrong */
export const readConfig = (env: NodeJS.ProcessEnv): IssuingConfig => loadConfig(schema, env);
