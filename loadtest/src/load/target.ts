import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { checkout, type DemoCaller, registerCallers, signTokens, startLocalStack } from "@coupon/demo";
import { describeEvent } from "@coupon/stack";

/** A platform to be loaded: always one on this machine. */
export interface LoadTarget {
  issuing: string;
  campaigns: string;
  operatorToken: string;
  approverToken: string;
  caller: DemoCaller;
  databaseUrl: string;
  kafkaBrokers: string[];
  topicPrefix: string;
  partitions: number;
}

interface TargetOptions {
  say: (text: string) => void;
  signal: AbortSignal;
}

const stackName = "load";

/** Hands the work the stack that `.local/stack.json` describes, else one of its own, which it throws away afterwards. */
export async function withTarget<Result>(
  options: TargetOptions,
  work: (target: LoadTarget) => Promise<Result>,
): Promise<Result> {
  const file = join(checkout, ".local", "stack.json");
  if (existsSync(file)) {
    const target = readTarget(readFileSync(file, "utf8"));
    if (await answers(target.issuing)) {
      options.say(`Loading the stack that is up at ${target.issuing}.`);
      return work(target);
    }
  }
  options.say("No stack is up; starting one.");
  const onEvent = (event: Parameters<typeof describeEvent>[0]) => options.say(`  ${describeEvent(event)}`);
  const local = await startLocalStack({ name: stackName, onEvent, signal: options.signal });
  try {
    const { caller } = await registerCallers(local);
    const { issuing, campaigns } = local.urls;
    const { databaseUrl } = local.addresses;
    const { brokers: kafkaBrokers, topicPrefix, partitions } = local.log;
    const tokens = await signTokens(local.stack);
    return await work({ issuing, campaigns, ...tokens, caller, databaseUrl, kafkaBrokers, topicPrefix, partitions });
  } finally {
    await local.stack.stop();
    rmSync(local.stack.local, { recursive: true, force: true });
  }
}

/** Reads what `.local/stack.json` says. Throws where it names a service that is not on this machine. */
export function readTarget(text: string): LoadTarget {
  const { issuing, campaigns, operatorToken, approverToken, caller, databaseUrl, kafkaBrokers } = JSON.parse(text);
  for (const url of [issuing, campaigns]) {
    if (!isLoopback(new URL(url).hostname))
      throw new Error(`${url} is not on this machine: load is made on loopback only`);
  }
  return {
    issuing,
    campaigns,
    operatorToken,
    approverToken,
    caller,
    databaseUrl,
    kafkaBrokers: kafkaBrokers.split(","),
    topicPrefix: process.env.TOPIC_PREFIX ?? "coupon.",
    partitions: Number(process.env.PARTITIONS ?? 12),
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
