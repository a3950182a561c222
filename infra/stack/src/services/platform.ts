import { join } from "node:path";
import { namedPart } from "../stack/existing-parts.ts";
import { jwksPath, LOCAL_AUDIENCE, LOCAL_ISSUER, type StackSecrets } from "../stack/secrets.ts";
import type { StepSpec } from "./run-step.ts";
import type { ServiceSpec } from "./start-service.ts";

/** Addresses of the parts, as the services' configuration names them. */
export interface Addresses {
  readonly redisUrl: string;
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
}

/** What the specs of the platform's services are made of. */
export interface PlatformContext {
  /** The checkout. */
  readonly root: string;
  /** Its `.local` folder. */
  readonly local: string;
  readonly portBase: number;
  readonly issuingProcesses: number;
  readonly addresses: Addresses;
  readonly secrets: StackSecrets;
}

/** Ports of the local stack, as distances from PORT_BASE. */
export const PORT_OFFSETS = {
  issuing: 0,
  ledger: 1,
  campaigns: 2,
  issuingInternal: 10,
  redis: 20,
  kafka: 21,
  kafkaController: 22,
  postgres: 23,
} as const;

/** Issuing processes share ten internal ports, up to the parts' own. */
export const ISSUING_PROCESSES_MAX = PORT_OFFSETS.redis - PORT_OFFSETS.issuingInternal;

const HOST = "127.0.0.1";

function address(context: PlatformContext, offset: number): { port: number; url: string } {
  const port = context.portBase + offset;
  return { port, url: `http://${HOST}:${port}` };
}

function partEnvironment({ addresses }: PlatformContext): Record<string, string> {
  return {
    REDIS_URL: addresses.redisUrl,
    KAFKA_BROKERS: addresses.kafkaBrokers,
    DATABASE_URL: addresses.databaseUrl,
  };
}

function commonEnvironment(context: PlatformContext): Record<string, string> {
  const { secrets, local } = context;
  return {
    ...partEnvironment(context),
    NODE_ENV: "production",
    HOST,
    COUPON_KEYS: JSON.stringify(secrets.couponKeys),
    HASH_KEY: secrets.hashKey,
    CALLER_SECRETS_KEY: secrets.callerSecretsKey,
    INTERNAL_TOKEN: secrets.internalToken,
    OIDC_ISSUER: LOCAL_ISSUER,
    OIDC_AUDIENCE: LOCAL_AUDIENCE,
    OIDC_JWKS: jwksPath(local),
  };
}

/** A broker of ours lets a killed ledger's partitions go soon; one that the environment names may refuse to. */
function ledgerEnvironment(): Record<string, string> {
  return namedPart("kafka") === undefined ? { GROUP_SESSION_TIMEOUT_MS: "2500" } : {};
}

/** What must have happened before the services start: migrations and topics. Both can be repeated. */
export function platformSteps(context: PlatformContext): StepSpec[] {
  const env = partEnvironment(context);
  const step = (name: string, main: string): StepSpec => ({
    name,
    main,
    root: context.root,
    env,
    logFile: join(context.local, "logs", `${name}.log`),
  });
  return [
    step("migrations", "packages/database/src/migrate.ts"),
    step("topics", "packages/events/src/ensure-topics.ts"),
  ];
}

/**
 * Each collection copies what is under way. As it is by default, a process under overload spent a fifth of its time there;
 * with 64 it collects half as often.
 */
const youngGeneration = "--max-semi-space-size=64";

/** The services of the platform, in the order they depend on each other. */
export function platformServices(context: PlatformContext): ServiceSpec[] {
  const ledger = address(context, PORT_OFFSETS.ledger);
  const campaigns = address(context, PORT_OFFSETS.campaigns);
  const spec = (service: string, at: { port: number; url: string }, env: Record<string, string>): ServiceSpec => ({
    name: service,
    service,
    main: `services/${service}/src/main.ts`,
    root: context.root,
    env: { ...commonEnvironment(context), PORT: String(at.port), ...env },
    ...at,
    readyUrl: `${at.url}/readyz`,
    logFile: join(context.local, "logs", `${service}.log`),
  });
  const issuing = Array.from({ length: context.issuingProcesses }, (_, index) => {
    const internal = address(context, PORT_OFFSETS.issuingInternal + index);
    const name = `issuing-${index + 1}`;
    const env = {
      INTERNAL_PORT: String(internal.port),
      LEDGER_URL: ledger.url,
      REUSE_PORT: "true",
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} ${youngGeneration}`.trim(),
    };
    return {
      ...spec("issuing", address(context, PORT_OFFSETS.issuing), env),
      name,
      // All issuing processes share the public port; only the internal one tells which of them is ready.
      readyUrl: `${internal.url}/readyz`,
      logFile: join(context.local, "logs", `${name}.log`),
    };
  });
  const internalUrls = issuing.map((_, index) => address(context, PORT_OFFSETS.issuingInternal + index).url).join(",");
  return [
    spec("ledger", ledger, { ...ledgerEnvironment(), ISSUING_INTERNAL_URL: internalUrls }),
    ...issuing,
    spec("campaigns", campaigns, { ISSUING_INTERNAL_URL: internalUrls, LEDGER_URL: ledger.url }),
  ];
}
