import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchTerms, Operation } from "@coupon/history";
import { freePorts, type ServiceProcess, StackFailure, startServiceProcess } from "@coupon/testkit";
import { HistoryRecorder } from "../history/recorder.ts";
import { OwnPlatform } from "../own-platform/own-platform.ts";
import { auditLedger } from "./audit.ts";
import type { ProcessName } from "./fault.ts";
import { type Parts, PLACES } from "./parts.ts";
import { PublishedBatches } from "./published-batches.ts";
import { processId, type Schedule } from "./schedule.ts";

const BEGINS_WITHIN_MS = 20_000;
const DRAINS_WITHIN_MS = 8_000;
const ANSWERS_WITHIN_MS = 4_000;
const APPENDED_WITHIN_MS = 500;
/** Characters of what a process wrote that a report shows. */
const OUTPUT_MAX = 30_000;

/** Something of the platform did not come back in time. */
export class Stuck extends Error {}

/** A platform of one schedule's own over the simulator's stores. */
export class Platform extends OwnPlatform {
  readonly parts: Parts;
  readonly #schedule: Schedule;
  readonly #drawProcessId: ((place: number) => string) | undefined;
  readonly #processes = new Map<string, ServiceProcess>();
  /** Of issuing processes that have ended. */
  readonly #outputs: string[] = [];
  readonly #ports = new Map<string, number>();
  #doors: number[] = [];
  /** Ports at which issuing processes listen for callers: one for all, or one for each by its place. */
  protected readonly doors: number = 1;
  /** How long a caller waits for an answer. */
  protected readonly answersWithinMs: number = ANSWERS_WITHIN_MS;
  /** Issuing processes that were begun, by their place. */
  readonly #begun = new Map<number, number>();
  #made: { recorder: HistoryRecorder; batches: PublishedBatches } | null = null;

  /** @param drawProcessId for an issuing process that starts in that place, where it shall not follow from the seed */
  constructor(parts: Parts, schedule: Schedule, drawProcessId?: (place: number) => string) {
    // Keys follow from the seed, too, so that a schedule's coupon ids do.
    const key = (name: string): Buffer => createHash("sha256").update(`${schedule.hashKey} ${name}`).digest();
    const hash = Buffer.from(schedule.hashKey, "hex");
    const keys = { hash, shop: key("shop"), coupons: key("coupons"), callers: key("callers") };
    super("f", [parts.kafka.brokers], keys);
    this.parts = parts;
    this.#schedule = schedule;
    this.#drawProcessId = drawProcessId;
  }

  get recorder(): HistoryRecorder {
    return this.#started().recorder;
  }

  get batches(): PublishedBatches {
    return this.#started().batches;
  }

  /** What was published and asked so far, also where it has not come to a start. */
  get seen(): { terms: BatchTerms[]; operations: Operation[] } {
    return { terms: this.#made?.batches.terms ?? [], operations: this.#made?.recorder.operations ?? [] };
  }

  async start(): Promise<void> {
    await this.parts.redis.reset();
    await this.open(this.parts.postgres.url);
    Object.assign(this.env, {
      DATABASE_URL: throughProxy(this.databaseUrl, this.parts.postgres.proxy.port),
      LEASE_TTL_MS: "800",
      APPEND_TIMEOUT_MS: "1500",
      REQUEST_DEADLINE_MS: "3000",
      GROUP_SESSION_TIMEOUT_MS: "2000",
    });
    const batches = new PublishedBatches(this.opened.publisher, this.#schedule.batches);
    await batches.publishAll();
    const [doors, ledgerPorts] = await Promise.all([freePorts(this.doors), freePorts(PLACES.ledger)]);
    this.#doors = doors;
    for (const [index, ledgerPort] of ledgerPorts.entries()) this.#ports.set(`ledger-${index}`, ledgerPort);
    const urls = doors.map((port) => `http://127.0.0.1:${port}`);
    const recorder = new HistoryRecorder(urls, 32, this.answersWithinMs);
    this.onClose(() => recorder.close());
    this.#made = { recorder, batches };
    await Promise.all(this.#names().map((name) => this.begin(name)));
  }

  #names(): ProcessName[] {
    const of = (service: ProcessName["service"], count: number): ProcessName[] =>
      Array.from({ length: count }, (_, index) => ({ service, index }));
    return [...of("issuing", this.#schedule.issuing), ...of("ledger", this.#schedule.ledgers)];
  }

  process(name: ProcessName): ServiceProcess | undefined {
    return this.#processes.get(nameOf(name));
  }

  /** Starts a process in its place, and again where a store is away and it gives up: for a while. */
  async begin(name: ProcessName): Promise<void> {
    const until = performance.now() + BEGINS_WITHIN_MS;
    for (;;) {
      try {
        this.#processes.set(nameOf(name), await this.#run(name));
        return;
      } catch (error) {
        if (!(error instanceof StackFailure)) throw error;
        if (performance.now() > until) {
          throw new Stuck(`${nameOf(name)} does not start: ${error.message}\n${error.detail}`);
        }
        await sleep(300);
      }
    }
  }

  async #run({ service, index }: ProcessName): Promise<ServiceProcess> {
    if (service === "ledger") return this.ledger(index);
    const [internalPort = 0] = await freePorts(1);
    return startServiceProcess({
      main: "services/issuing/src/main.ts",
      port: this.#doors[index % this.doors] ?? 0,
      readyUrl: `http://127.0.0.1:${internalPort}/readyz`,
      readyTimeoutMs: 15_000,
      stopTimeoutMs: DRAINS_WITHIN_MS,
      env: {
        ...this.env,
        REUSE_PORT: "true",
        INTERNAL_PORT: String(internalPort),
        PROCESS_ID: this.#drawProcessId?.(index) ?? this.#nextId(index),
        REDIS_URL: `redis://127.0.0.1:${this.parts.redisProxies[index]?.port}`,
        KAFKA_BROKERS: `127.0.0.1:${this.parts.kafkaProxies[index]?.port}`,
        LEDGER_URL: `http://127.0.0.1:${this.#ports.get("ledger-0")}`,
      },
    });
  }

  /** Owners are chosen by the processes' ids, so these follow from the seed: the nth process in that place. */
  #nextId(index: number): string {
    const nth = (this.#begun.get(index) ?? 0) + 1;
    this.#begun.set(index, nth);
    return processId(this.#schedule, index, nth);
  }

  /** By how much the schedule steps the clocks of shards, all taken together. */
  get clockStepsMs(): number {
    return this.#schedule.faults.reduce(
      (sum, fault) => sum + (fault.kind === "clock-step" ? Math.abs(fault.minutes) * 60_000 : 0),
      0,
    );
  }

  /** Has the ledger audit everything; what it finds. */
  async audit(): Promise<string[]> {
    const token = await this.opened.issuer.token("the-auditor", ["operator"]);
    return auditLedger(`http://127.0.0.1:${this.#ports.get("ledger-0")}`, token);
  }

  /** Writes what is there already once more into the log, and throws where that is refused. */
  append(): Promise<void> {
    const { callerId, keyId, secret } = this.shop;
    const keys = [{ keyId, secret: secret.toString("base64"), revoked: false }];
    const caller = { callerId, version: 1, name: callerId, status: "live", keys } as const;
    return this.opened.publisher.publishCaller(caller, APPENDED_WITHIN_MS);
  }

  /** A ledger; in a group of its own it applies everything beside the others. */
  async ledger(index: number, group?: string): Promise<ServiceProcess> {
    const port = group === undefined ? (this.#ports.get(`ledger-${index}`) ?? 0) : ((await freePorts(1))[0] ?? 0);
    return startServiceProcess({
      main: "services/ledger/src/main.ts",
      ...{ port, readyTimeoutMs: 15_000, stopTimeoutMs: DRAINS_WITHIN_MS },
      env: {
        ...this.env,
        REDIS_URL: `redis://127.0.0.1:${this.parts.redisProxies[PLACES.issuing + index]?.port}`,
        KAFKA_BROKERS: `127.0.0.1:${this.parts.kafkaProxies[PLACES.issuing + index]?.port}`,
        ...(group === undefined ? {} : { GROUP: group }),
      },
    });
  }

  /** Lets all issuing processes drain; names those that had to be killed. */
  async endIssuing(): Promise<string[]> {
    const ended = [...this.#processes].filter(([name]) => name.startsWith("issuing"));
    const exits = await Promise.all(ended.map(async ([name, process]) => [name, await process.child.stop()] as const));
    for (const [name, process] of ended) {
      this.#outputs.push(tellOutput(name, process));
      this.#processes.delete(name);
    }
    return exits.filter(([, exit]) => exit.signal === "SIGKILL").map(([name]) => name);
  }

  /** What every process wrote, for a report. */
  outputs(): string {
    return [...this.#outputs, ...[...this.#processes].map((one) => tellOutput(...one))].join("\n");
  }

  override async close(): Promise<void> {
    await Promise.all(
      [...this.#processes.values()].map(async (process) => {
        process.kill("SIGKILL");
        await process.child.exited;
      }),
    );
    await super.close();
  }

  #started(): { recorder: HistoryRecorder; batches: PublishedBatches } {
    if (this.#made === null) throw new Error("the platform has not been started");
    return this.#made;
  }
}

export function nameOf({ service, index }: ProcessName): string {
  return `${service}-${index}`;
}

function tellOutput(name: string, process: ServiceProcess): string {
  return `--- ${name}\n${process.output().slice(-OUTPUT_MAX)}`;
}

function throughProxy(databaseUrl: string, port: number): string {
  const url = new URL(databaseUrl);
  url.port = String(port);
  return url.href;
}
