import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis } from "@coupon/redis";
import { createKeys } from "@coupon/redis/testing";
import type { FaultProxy } from "@coupon/testkit";
import { endProcess } from "./end-process.ts";
import type { Fault, FaultAction, Moment, ProcessName } from "./fault.ts";
import { PLACES } from "./parts.ts";
import { nameOf, type Platform, Stuck } from "./platform.ts";

/** What was done, when, on the clock of the history. */
export interface Done {
  fault: Fault;
  fromMs: number;
  toMs: number;
  /** What came of it where that can differ. */
  note: string;
  /** How often it is known to have struck, of those that are counted: appends refused, transactions cut short. */
  struck: number | null;
  /** What did not come back after it, or did not end; empty where all did. */
  stuck: string;
}

/** What came of a fault, as far as it can differ. */
interface Outcome {
  note?: string;
  struck?: number;
  stuck?: string;
}

/** Commits the fault, and resolves when its cause is gone. Faults of one thing wait for one another. */
export async function inject(platform: Platform, fault: Fault): Promise<Done> {
  return platform.parts.lanes.run(laneOf(fault), async () => {
    const fromMs = performance.now();
    const outcome = await commit(platform, fault).catch((error: unknown): Outcome => {
      if (!(error instanceof Stuck)) throw error;
      return { stuck: error.message };
    });
    const { note = "", struck = null, stuck = "" } = outcome ?? {};
    return { fault, fromMs, toMs: performance.now(), note: stuck === "" ? note : stuck, struck, stuck };
  });
}

/** What it is done to: wires and processes by their place, stores as wholes. */
function laneOf(fault: FaultAction): string {
  switch (fault.kind) {
    case "redis-cut":
    case "redis-delay":
    case "redis-drop-replies":
    case "redis-script-again":
      return `redis-wire-${fault.index}`;
    case "kafka-cut":
    case "kafka-delay":
    case "kafka-drop-replies":
    case "kafka-double-replies":
      return `kafka-wire-${nameOf(fault.process)}`;
    case "process-kill":
    case "process-stop":
    case "process-term":
      return nameOf(fault.process);
    case "second-ledger":
      return fault.kind;
    case "clock-step":
      return "redis";
    default:
      return fault.kind.split("-")[0] ?? "";
  }
}

async function commit(platform: Platform, fault: FaultAction): Promise<Outcome | undefined> {
  const { redis, kafka, postgres } = platform.parts;
  switch (fault.kind) {
    case "redis-restart":
      await redis.restart(fault.signal, fault.awayMs);
      return;
    case "redis-truncate":
      return { note: await redis.truncate(fault.damage, fault.at, fault.awayMs) };
    case "redis-wipe":
      await redis.wipe();
      return;
    case "redis-failover":
      await redis.failOver(fault.lagMs, fault.moved, fault.oldMasterMs);
      return;
    case "kafka-pause":
      await kafka.pause(fault.lastsMs);
      return;
    case "kafka-restart":
      await kafka.restart(fault.signal, fault.awayMs);
      return;
    case "kafka-disk-full":
      return counted(await kafka.fillDisk(fault.fullMs, () => platform.append()), "appends were refused");
    case "postgres-restart":
      return counted(await postgres.restart(platform.databaseUrl, fault.awayMs), "transactions were open");
    case "process-kill":
      return replace(platform, fault.process, "SIGKILL", fault.awayMs);
    case "process-term":
      return replace(platform, fault.process, "SIGTERM", fault.awayMs);
    case "process-stop":
      return standStill(platform, fault.process, fault.lastsMs);
    case "second-ledger":
      return { note: await secondLedger(platform, fault.lastsMs) };
    case "clock-step":
      return { note: await stepClock(platform, fault.batch + 1, fault.shard, fault.minutes) };
    default:
      return spoilWire(platform, fault);
  }
}

async function spoilWire(platform: Platform, fault: FaultAction): Promise<undefined> {
  const proxy = wireOf(platform, fault);
  const lastsMs = "lastsMs" in fault ? fault.lastsMs : 0;
  switch (fault.kind) {
    case "redis-cut":
    case "kafka-cut":
      cut(proxy, fault.moment);
      return;
    case "postgres-cut":
      proxy.cutAll();
      return;
    case "redis-script-again":
      proxy.repeatRequest("evalsha", fault.afterMs);
      return;
    case "redis-delay":
    case "kafka-delay":
    case "postgres-delay":
      proxy.delay(fault.delayMs);
      await sleep(lastsMs);
      proxy.delay(0);
      return;
    case "redis-drop-replies":
    case "kafka-drop-replies":
      proxy.dropReplies(true);
      await sleep(lastsMs);
      proxy.dropReplies(false);
      // What follows lost replies can't be told apart from them.
      proxy.cutAll();
      return;
    case "kafka-double-replies":
      proxy.doubleReplies(true);
      await sleep(lastsMs);
      proxy.doubleReplies(false);
  }
}

function wireOf({ parts }: Platform, fault: FaultAction): FaultProxy {
  const place =
    "process" in fault ? fault.process.index + (fault.process.service === "ledger" ? PLACES.issuing : 0) : 0;
  const proxy = fault.kind.startsWith("kafka")
    ? parts.kafkaProxies[place]
    : "index" in fault
      ? parts.redisProxies[fault.index]
      : parts.postgres.proxy;
  if (proxy === undefined) throw new Error(`there is no wire for ${JSON.stringify(fault)}`);
  return proxy;
}

/** The next request never arrives, runs unheard, or is answered in vain. */
function cut(proxy: FaultProxy, moment: Moment): void {
  if (moment === "during") proxy.cutAfterRequest();
  else void proxy.cutAfterBytes(0, moment === "before" ? "up" : "down");
}

function counted(struck: number, what: string): Outcome {
  return { struck, note: `${struck} ${what}` };
}

/** Ends a process, and starts another one in its place. */
async function replace(
  platform: Platform,
  name: ProcessName,
  signal: NodeJS.Signals,
  awayMs: number,
): Promise<Outcome> {
  const stuck = await endProcess(nameOf(name), platform.process(name), signal);
  await sleep(awayMs);
  await platform.begin(name);
  return { stuck };
}

async function standStill(platform: Platform, name: ProcessName, lastsMs: number): Promise<undefined> {
  const process = platform.process(name);
  process?.kill("SIGSTOP");
  await sleep(lastsMs);
  process?.kill("SIGCONT");
}

async function secondLedger(platform: Platform, lastsMs: number): Promise<string> {
  const ledger = await platform.ledger(0, "rival").catch(() => null);
  if (ledger === null) return "it did not start, as a store was away";
  await sleep(lastsMs);
  ledger.kill("SIGKILL");
  await ledger.child.exited;
  return "";
}

/** Steps the clock of a shard that exists; a header is never made by it. */
async function stepClock(platform: Platform, batch: number, shard: number, minutes: number): Promise<string> {
  const redis = await connectRedis({ url: platform.parts.redis.url, cluster: false });
  try {
    const header = createKeys(platform.prefix).header({ batch, shard });
    await redis.watch(header);
    if ((await redis.exists(header)) === 0) return "the shard was not there";
    const done = await redis
      .multi()
      .hset(header, "off", minutes * 60_000)
      .exec();
    return done === null ? "the shard was changed meanwhile" : "";
  } finally {
    await redis.close();
  }
}
