import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type Addresses,
  type PlatformContext,
  platformServices,
  platformSteps,
  type Stack,
  type StackEvent,
  signOperatorToken,
  startStack,
} from "@coupon/stack";

/** The root of this checkout. */
export const checkout = resolve(import.meta.dirname, "../../..");

export interface LocalStackOptions {
  /** Name of a stack of its own, with its own parts, ports and data in `.local/<name>`; "" for that of `npm start`. */
  name: string;
  /** First port; by default PORT_BASE, else 8080, for `npm start`'s and 400 above for each of the others. */
  portBase?: number;
  issuingProcesses?: number;
  /** Added to the environment of every service. */
  env?: Record<string, string>;
  onEvent?: (event: StackEvent) => void;
  signal?: AbortSignal;
}

const defaultPortBase = 8_080;
const ownPortOffset = 400;
const defaultPartitions = 12;

/** Where a named stack keeps its data. */
export function stackFolder(name: string): string {
  return name === "" ? checkout : join(checkout, ".local", name);
}

/** First port of a stack that is not `npm start`'s, so that both may be up at once. */
export function ownPortBase(): number {
  return Number(process.env.PORT_BASE ?? defaultPortBase) + ownPortOffset;
}

/** A stack that is up, with what is needed to look into its parts. */
export interface LocalStack {
  stack: Stack;
  urls: { issuing: string; ledger: string; campaigns: string };
  addresses: Addresses;
  keyPrefix: string;
  log: { brokers: string[]; topicPrefix: string; partitions: number };
}

/** Starts the platform's parts and services from this checkout. Throws what `startStack` throws. */
export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const root = stackFolder(options.name);
  mkdirSync(root, { recursive: true });
  const portBase = options.portBase ?? (options.name === "" ? undefined : ownPortBase());
  const names = namesOf(options.name);
  const env = { ...options.env, KEY_PREFIX: names.keyPrefix, TOPIC_PREFIX: names.topicPrefix };
  const own = (context: PlatformContext): PlatformContext => ({
    ...context,
    // A stack of its own has its data apart, but its services come from this checkout as well.
    root: checkout,
    addresses: { ...context.addresses, databaseUrl: databaseOf(options.name, context.addresses.databaseUrl) },
  });
  const stack = await startStack({
    root,
    steps: (context) => platformSteps(own(context)).map((it) => ({ ...it, env: { ...it.env, ...env } })),
    services: (context) => platformServices(own(context)).map((it) => ({ ...it, env: { ...it.env, ...env } })),
    ...(portBase !== undefined && { portBase }),
    ...(options.issuingProcesses !== undefined && { issuingProcesses: options.issuingProcesses }),
    ...(options.onEvent !== undefined && { onEvent: options.onEvent }),
    ...(options.signal !== undefined && { signal: options.signal }),
  });
  const { issuing = "", ledger = "", campaigns = "" } = stack.urls;
  return {
    stack,
    urls: { issuing, ledger, campaigns },
    addresses: { ...stack.addresses, databaseUrl: databaseOf(options.name, stack.addresses.databaseUrl) },
    keyPrefix: names.keyPrefix,
    log: {
      brokers: stack.addresses.kafkaBrokers.split(","),
      topicPrefix: names.topicPrefix,
      partitions: Number(process.env.PARTITIONS ?? defaultPartitions),
    },
  };
}

/** Tokens of two people: who writes a batch may not approve it. */
export async function signTokens(stack: Stack): Promise<{ operatorToken: string; approverToken: string }> {
  return {
    operatorToken: await signOperatorToken(stack.secrets, { subject: "demo-operator", roles: ["operator"] }),
    approverToken: await signOperatorToken(stack.secrets, { subject: "demo-approver", roles: ["approver"] }),
  };
}

/** Where parts are shared (`REDIS_URL` and its kin), the stacks are told apart by their names in them. */
function namesOf(name: string): { keyPrefix: string; topicPrefix: string } {
  const keyPrefix = process.env.KEY_PREFIX ?? "coupon";
  const topicPrefix = process.env.TOPIC_PREFIX ?? "coupon.";
  if (name === "") return { keyPrefix, topicPrefix };
  return { keyPrefix: `${keyPrefix}-${name}`, topicPrefix: `${topicPrefix}${name}.` };
}

function databaseOf(name: string, databaseUrl: string): string {
  if (name === "" || databaseUrl === "") return databaseUrl;
  const url = new URL(databaseUrl);
  url.pathname += `_${name}`;
  return url.href;
}
