import { loadConfig, setting } from "@coupon/service-kit";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  HOST: setting.host(),
  PORT: setting.port(),
  LOG_LEVEL: setting.logLevel(),
  DATABASE_URL: setting.text("the URL of the PostgreSQL database, e.g. postgres://user:password@127.0.0.1:5432/coupon"),
  KAFKA_BROKERS: setting.text("the brokers of the log, e.g. 127.0.0.1:9092,127.0.0.1:9093"),
  TOPIC_PREFIX: setting.text("what the topics' names begin with", "coupon."),
  PARTITIONS: setting.integer("the number of partitions of the entries", { minimum: 1, maximum: 1_000, fallback: 12 }),
  INTERNAL_TOKEN: Type.String({ minLength: 16, description: "the secret between our own services" }),
  OIDC_ISSUER: setting.text("the issuer of operators' tokens"),
  OIDC_AUDIENCE: setting.text("the audience of operators' tokens", "coupon-platform"),
  OIDC_JWKS: setting.text("the URL or file of the issuer's JSON Web Key Set"),
  REDIS_URL: setting.text("the URL of Redis, whose hot state is compared, e.g. redis://127.0.0.1:6379"),
  REDIS_CLUSTER: Type.Boolean({ default: false, description: "whether Redis is a Cluster" }),
  KEY_PREFIX: Type.String({
    default: "coupon",
    pattern: "^[a-z0-9._-]{1,32}$",
    description: "what Redis keys begin with",
  }),
  HASH_KEY: Type.String({ minLength: 40, description: "the key of users' hashes in Redis, in base64" }),
  ISSUING_INTERNAL_URL: setting.text(
    "the URLs of issuing's internal APIs, which write corrections, joined by commas",
    "http://127.0.0.1:8090",
  ),
  INTERNAL_TIMEOUT_MS: setting.integer("how long issuing is waited for, in milliseconds", {
    minimum: 100,
    maximum: 60_000,
    fallback: 6_000,
  }),
  /** 0: no running proof. */
  PROOF_EVERY_MS: setting.integer("from one round of the running proof to the next, in milliseconds; 0 for none", {
    minimum: 0,
    maximum: 60_000,
    fallback: 1_000,
  }),
  AUDIT_HOUR: setting.integer("the hour (UTC) in which everything is audited every night; -1 for never", {
    minimum: -1,
    maximum: 23,
    fallback: 3,
  }),
  /** 59 bytes of memory each. */
  AUDIT_COUPONS_AT_ONCE: setting.integer("coupons that an audit compares in one walk over the log", {
    minimum: 1_000,
    maximum: 50_000_000,
    fallback: 2_000_000,
  }),
  RECONCILIATION_TIMEOUT_MS: setting.integer(
    "how long proof and audit wait for PostgreSQL: for a statement, or between two parts of a long one, in milliseconds",
    { minimum: 100, maximum: 600_000, fallback: 30_000 },
  ),
  COUPON_KEYS: setting.text('the keys of coupon ids by version, e.g. {"1": "<32 bytes in base64>"}'),
  /** Of the consumer group whose members share the partitions; after TOPIC_PREFIX. */
  GROUP: setting.text("the name of the consumer group", "ledger"),
  /** Below 6,000 the brokers' group.min.session.timeout.ms must allow it. */
  GROUP_SESSION_TIMEOUT_MS: setting.integer("how long a killed member keeps its partitions, in milliseconds", {
    minimum: 1_000,
    maximum: 60_000,
    fallback: 8_000,
  }),
  TRANSACTIONS_MAX: setting.integer("how many transactions are under way at once", {
    minimum: 1,
    maximum: 16,
    fallback: 3,
  }),
  TRANSACTION_ROWS_MAX: setting.integer("rows after which a transaction is large enough", {
    minimum: 1,
    maximum: 100_000,
    fallback: 5_000,
  }),
  /** Fewer, larger transactions cost less; a read that waits for its write waits this much longer. */
  GATHER_MS: setting.integer("how long small work gathers, in milliseconds", {
    minimum: 0,
    maximum: 1_000,
    fallback: 5,
  }),
  REST_MS: setting.integer("how long a caught-up log is left alone between two fetches, in milliseconds", {
    minimum: 0,
    maximum: 1_000,
    fallback: 20,
  }),
  REST_MS_MAX: setting.integer("how long it is left alone where much is written to it, in milliseconds", {
    minimum: 0,
    maximum: 1_000,
    fallback: 100,
  }),
  TERMS_WAIT_MS: setting.integer("how long an entry waits for its batch's terms until that is an alarm, in ms", {
    minimum: 100,
    maximum: 600_000,
    fallback: 30_000,
  }),
  SWEEP_EVERY_MS: setting.integer("how often expired coupons are looked for, in milliseconds", {
    minimum: 10,
    maximum: 3_600_000,
    fallback: 10_000,
  }),
  /** A shard without traffic is swept by the wall clock, this much behind: its last entries may still be on their way. */
  EXPIRY_GRACE_MS: setting.integer("how long after its validity a silent shard's coupon is swept, in milliseconds", {
    minimum: 0,
    maximum: 604_800_000,
    fallback: 900_000,
  }),
  READ_AFTER_MS: setting.integer("how long a read waits for its position, in milliseconds", {
    minimum: 1,
    maximum: 10_000,
    fallback: 2_000,
  }),
});

export type LedgerConfig = Static<typeof schema>;

/** @throws ConfigInvalid with one sentence that says which setting is wrong */
export const readConfig = (env: NodeJS.ProcessEnv): LedgerConfig => loadConfig(schema, env);
