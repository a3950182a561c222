import { join } from "node:path";
import { installMissing } from "../install/install-missing.ts";
import { assertPortFree } from "../net/ports.ts";
import type { PartName } from "../parts/part.ts";
import type { Child } from "../process/child.ts";
import { ProcessRecord, type RecordedProcess } from "../process/process-record.ts";
import { endProcesses } from "../process/stop-orphans.ts";
import {
  type Addresses,
  ISSUING_PROCESSES_MAX,
  type PlatformContext,
  platformServices,
  platformSteps,
} from "../services/platform.ts";
import { runStep, type StepSpec } from "../services/run-step.ts";
import { type ServiceSpec, startService } from "../services/start-service.ts";
import type { StackEvent } from "./events.ts";
import { assertAnswers, namedPart, withoutPassword } from "./existing-parts.ts";
import { localPart, localPartPorts, PARTS } from "./local-parts.ts";
import type { StackLock } from "./lock.ts";
import { assertRequirements } from "./requirements.ts";
import { loadSecrets, type StackSecrets } from "./secrets.ts";
import { issuingProcessesSetting, portBaseSetting } from "./settings.ts";
import type { Stack, StackOptions } from "./stack.ts";
import { type StackDescription, StackFile } from "./stack-file.ts";
import { Supervisor } from "./supervisor.ts";

const ADDRESS_FIELD = { redis: "redisUrl", kafka: "kafkaBrokers", postgres: "databaseUrl" } as const;

/** One run of a stack in a folder whose lock is held: `start` once, then `stop`. */
export class StackRun implements Stack {
  readonly local: string;
  readonly urls: Record<string, string> = {};
  readonly addresses: Addresses;
  readonly #options: StackOptions;
  readonly #portBase: number;
  readonly #record: ProcessRecord;
  readonly #file: StackFile;
  readonly #supervisor: Supervisor;
  readonly #steps = new Set<Child>();
  readonly #emit: (event: StackEvent) => void;
  readonly #lock: StackLock;
  readonly #stopped = Promise.withResolvers<void>();
  #secrets: StackSecrets | undefined;
  #extra: Readonly<Record<string, unknown>> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: StackOptions, local: string, lock: StackLock) {
    this.#options = options;
    this.#lock = lock;
    this.#portBase = options.portBase ?? portBaseSetting();
    this.#emit = options.onEvent ?? (() => undefined);
    this.local = local;
    this.addresses = { redisUrl: "", kafkaBrokers: "", databaseUrl: "" };
    this.#record = new ProcessRecord(join(local, "processes.json"));
    this.#file = new StackFile(local);
    this.#supervisor = new Supervisor(this.#record, this.#emit, () => this.#refresh());
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  get secrets(): StackSecrets {
    if (this.#secrets === undefined) throw new Error("the stack has no secrets before it is started");
    return this.#secrets;
  }

  /** Brings everything up; each phase begins only while nobody has asked to stop. */
  async start(): Promise<void> {
    this.#file.remove();
    this.#secrets = await loadSecrets(this.local);
    await this.#stopSurvivors();
    const own = PARTS.filter((part) => namedPart(part) === undefined);
    await this.#check(own);
    await this.#phase(() => installMissing(own));
    await this.#phase(() => all(PARTS.map((part) => this.#startPart(part))));
    const context = this.#context();
    await this.#phase(() => all(this.#stepsOf(context).map((step) => this.#runStep(step))));
    await this.#phase(() => all(this.#servicesOf(context).map((spec) => this.#startService(spec))));
    this.#assertWanted();
  }

  pids(): Record<string, number | readonly number[]> {
    return this.#supervisor.pids();
  }

  describe(): StackDescription {
    const { issuing } = this.urls;
    const sharedDoor = issuing === undefined ? {} : { redemption: issuing, wallet: issuing };
    return { ...this.urls, ...sharedDoor, ...this.addresses, ...this.#extra, pids: this.pids() };
  }

  publish(extra: Readonly<Record<string, unknown>>): void {
    this.#extra = { ...this.#extra, ...extra };
    this.#refresh();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#lock.announceStop();
    this.#emit({ kind: "stopping" });
    this.#file.remove();
    await Promise.all([...this.#steps].map((step) => step.stop()));
    await this.#supervisor.stop();
    this.#record.clear();
    await this.#lock.release();
    this.#emit({ kind: "stopped" });
    this.#stopped.resolve();
  }

  #assertWanted(): void {
    if (this.#stopping !== undefined) throw new Error("the stack was stopped while it started");
  }

  async #phase(work: () => Promise<unknown>): Promise<void> {
    this.#assertWanted();
    await work();
  }

  /** A supervisor that was killed leaves its processes running: services are ended first, then what they use. */
  async #stopSurvivors(): Promise<void> {
    const survivors = this.#record.survivors();
    if (survivors.length === 0) return;
    const isPart = ({ name }: RecordedProcess): boolean => (PARTS as readonly string[]).includes(name);
    await endProcesses(
      survivors.filter((survivor) => !isPart(survivor)),
      "SIGTERM",
    );
    for (const part of survivors.filter(isPart)) {
      await endProcesses([part], part.name === "postgres" ? "SIGINT" : "SIGTERM");
    }
    this.#record.clear();
    this.#emit({ kind: "orphans_stopped", names: survivors.map(({ name }) => name) });
  }

  /** Everything that can be known before anything is installed or started. */
  async #check(own: readonly PartName[]): Promise<void> {
    for (const part of PARTS) {
      const named = namedPart(part);
      if (named !== undefined) await assertAnswers(part, named);
    }
    const services = this.#servicesOf(this.#context()).flatMap(({ name, port, readyUrl }): [string, number][] => [
      [name, port],
      [name, Number(new URL(readyUrl).port)],
    ]);
    const ports = new Map(
      [...services, ...own.flatMap((part) => localPartPorts(part, this.#portBase))].map(([name, port]) => [port, name]),
    );
    for (const [port, name] of ports) await assertPortFree(port, name);
    if (own.length > 0) await assertRequirements(this.local, this.#options.requirements);
  }

  #context(): PlatformContext {
    return {
      root: this.#options.root,
      local: this.local,
      portBase: this.#portBase,
      issuingProcesses: this.#options.issuingProcesses ?? issuingProcessesSetting(ISSUING_PROCESSES_MAX),
      addresses: this.addresses,
      secrets: this.secrets,
    };
  }

  #stepsOf(context: PlatformContext): readonly StepSpec[] {
    return (this.#options.steps ?? platformSteps)(context);
  }

  #servicesOf(context: PlatformContext): readonly ServiceSpec[] {
    return (this.#options.services ?? platformServices)(context);
  }

  async #startPart(part: PartName): Promise<void> {
    const named = namedPart(part);
    if (named !== undefined) {
      this.#emit({ kind: "using", name: part, url: withoutPassword(named) });
      this.#setAddress(part, named);
      return;
    }
    const running = await this.#supervisor.start(part, part, localPart(part, this.local, this.#portBase));
    this.#setAddress(part, running.url);
  }

  #setAddress(part: PartName, url: string): void {
    Object.assign(this.addresses, { [ADDRESS_FIELD[part]]: url });
  }

  async #runStep(step: StepSpec): Promise<void> {
    const since = performance.now();
    const onSpawn = (child: Child): void => {
      this.#steps.add(child);
      this.#record.add(step.name, child.identity);
      if (this.#stopping !== undefined) void child.stop();
    };
    await runStep({ ...step, onSpawn });
    this.#emit({ kind: "step_done", name: step.name, tookMs: performance.now() - since });
  }

  async #startService(spec: ServiceSpec): Promise<void> {
    await this.#supervisor.start(spec.service, spec.name, (onSpawn) => startService({ ...spec, onSpawn }));
    this.urls[spec.service] = spec.url;
  }

  #refresh(): void {
    if (this.#extra !== undefined && this.#stopping === undefined) this.#file.write(this.describe());
  }
}

/** Waits for all, also when one fails, so that nothing is started behind a stop's back; throws the first failure. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
