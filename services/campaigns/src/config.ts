import { loadConfig, setting } from "@coupon/service-kit";
import { type Static, Type } from "typebox";

const schema = Type.Object({
  HOST: setting.host(),
  PORT: setting.port(),
  DATABASE_URL: setting.text("the address of the PostgreSQL database, e.g. postgres://user:password@host:5432/coupon"),
  DATABASE_CONNECTIONS_MAX: setting.integer("the most connections to PostgreSQL", {
    ...{ minimum: 2, maximum: 200, fallback: 10 },
  }),
  KAFKA_BROKERS: setting.text("Kafka's brokers, e.g. host:9092,host:9092"),
  TOPIC_PREFIX: setting.text("what the topics' names begin with", "coupon."),
  PARTITIONS: setting.integer("the number of partitions of the entries", { minimum: 1, maximum: 10_000, fallback: 12 }),
  LEDGER_URL: setting.text("the address of the ledger service, e.g. http://127.0.0.1:8081"),
  ISSUING_INTERNAL_URL: setting.text(
    "the internal addresses of issuing's processes, joined by commas, e.g. http://127.0.0.1:8090",
  ),
  INTERNAL_TOKEN: Type.String({ minLength: 16, description: "the secret between our own services" }),
  OIDC_ISSUER: setting.text("the issuer of operators' tokens"),
  OIDC_AUDIENCE: setting.text("the audience of operators' tokens", "coupon-platform"),
  OIDC_JWKS: setting.text("the URL or file of the issuer's JSON Web Key Set"),
  COUPON_KEY_VERSION: setting.integer("the version of the key that new batches' coupon ids are made with", {
    ...{ minimum: 1, maximum: 31, fallback: 1 },
  }),
  CONFIRM_TIMEOUT_MS: setting.integer("the longest wait for a change to be in force on every shard", {
    ...{ minimum: 100, maximum: 5_000, fallback: 5_000 },
  }),
  INTERNAL_TIMEOUT_MS: setting.integer("the longest wait for the ledger or issuing", {
    ...{ minimum: 100, maximum: 30_000, fallback: 6_000 },
  }),
  GIVE_BACK_EVERY_MS: setting.integer("how often budget that was not used is looked for, in milliseconds", {
    ...{ minimum: 10, maximum: 86_400_000, fallback: 60_000 },
  }),
  LOG_LEVEL: setting.logLevel(),
});

export type CampaignsConfig = Static<typeof schema>;

/** @throws ConfigInvalid with one sentence that says which setting is wrong */
export const readConfig = (env: NodeJS.ProcessEnv): CampaignsConfig => loadConfig(schema, env);
