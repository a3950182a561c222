import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { findJava } from "../install/java.ts";
import { kafkaJars } from "../install/kafka-jars.ts";
import { assertPortFree, freePorts } from "../net/ports.ts";
import { kafkaCoordinates, kafkaIsReady } from "../probes/kafka.ts";
import { Child } from "../process/child.ts";
import { stopOrphansIn } from "../process/stop-orphans.ts";
import { StackFailure } from "../stack-failure.ts";
import { type PartOptions, type Running, running, untilReady } from "./part.ts";

/** Settings of a local Kafka broker beyond where it lives. */
export interface KafkaOptions extends PartOptions {
  /** The KRaft controller's port. Default: a free one. */
  readonly controllerPort?: number;
  /** What clients are told to connect to instead of `port`: that of a proxy in front of it. */
  readonly advertisedPort?: number;
  /** Default 512. */
  readonly heapMiB?: number;
  /** More lines of `server.properties`, e.g. `log.retention.check.interval.ms=1000`. */
  readonly settings?: readonly string[];
}

const LOGGING = fileURLToPath(new URL("../../log4j2.properties", import.meta.url));

/**
 * One broker that is its own controller, on loopback. Replication 1 everywhere is the stated exception of a
 * local stack. Kafka leaves flushing to the kernel: a kill of the process loses nothing, a crash of the
 * machine may, which in production replication guards against.
 */
function configuration(options: KafkaOptions, port: number, controllerPort: number, logs: string): string {
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${options.advertisedPort ?? port}`,
    "controller.listener.names=CONTROLLER",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    `log.dirs=${logs}`,
    "auto.create.topics.enable=false",
    // By default 3 and 8, more than a machine of two cores keeps warm.
    "num.network.threads=1",
    "num.io.threads=2",
    "group.initial.rebalance.delay.ms=0",
    // By default a group waits 6 s at least for a member that was killed, and the ledger's partitions with it.
    "group.min.session.timeout.ms=1000",
    // A broker that was killed may register again only once its old session is over: with the default of 9 s
    // a restart took 16 s here. Much shorter, and a busy machine would fence a broker that is alive.
    "broker.session.timeout.ms=3000",
    "broker.heartbeat.interval.ms=500",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=4",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=4",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    // The cleaner's default buffer of 128 MiB would take a quarter of the heap.
    "log.cleaner.dedupe.buffer.size=16777216",
    ...(options.settings ?? []),
    "",
  ].join("\n");
}

/** Kafka's cluster ids are 16 bytes in URL-safe base64 that don't start with a dash. */
function newClusterId(): string {
  return `c${randomBytes(16).toString("base64url").slice(1, 22)}`;
}

async function format(java: string, jars: string, settings: string, logs: string): Promise<void> {
  if (existsSync(join(logs, "meta.properties"))) return;
  // A format that was cut short leaves files without meta.properties, and nothing else worth keeping.
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  const tool = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"];
  const tail = ["-cp", `${jars}/*`, "kafka.tools.StorageTool", "format", "-t", newClusterId(), "-c", settings];
  const result = await execa(java, [...tool, `-Dlog4j2.configurationFile=${LOGGING}`, ...tail], {
    reject: false,
    all: true,
  });
  if (result.exitCode === 0) return;
  throw new StackFailure(
    "part_failed",
    `Kafka's storage in ${logs} can't be formatted: see the detail.`,
    String(result.all),
  );
}

function brokerFlags(options: KafkaOptions): string[] {
  const heap = options.heapMiB ?? 512;
  return [
    "-server",
    `-Xms${heap}m`,
    `-Xmx${heap}m`,
    // The second compiler took up to 0.15 of a core for a broker's first minutes, 5 to 15 µs a redemption, and what it
    // made took no less time than the first one's: most of a broker's is the kernel's.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:-UsePerfData",
    // In its working directory, beside its own log: what each collection left, in 4 MiB at most.
    "-Xlog:gc:file=gc.log:time:filecount=1,filesize=2m",
    "-Djava.awt.headless=true",
    `-Dlog4j2.configurationFile=${LOGGING}`,
  ];
}

/**
 * Starts a Kafka broker in KRaft mode and resolves once it answers a metadata request with itself and a
 * controller, and coordinates groups. Data in `directory` is kept, also over a kill -9. Its jars are fetched into the cache folder
 * on first use. Throws StackFailures `part_missing`, `port_in_use`, `part_failed`.
 */
export async function startKafka(options: KafkaOptions): Promise<Running> {
  const java = await findJava();
  const jars = await kafkaJars();
  const logs = join(options.directory, "data");
  mkdirSync(options.directory, { recursive: true });
  const workingDirectory = realpathSync(options.directory);
  await stopOrphansIn(workingDirectory, "SIGTERM");
  const free = await freePorts(2);
  const port = options.port ?? free[0] ?? 0;
  const controllerPort = options.controllerPort ?? free[1] ?? 0;
  await assertPortFree(port, "Kafka");
  await assertPortFree(controllerPort, "Kafka's controller");
  const settings = join(options.directory, "server.properties");
  writeFileSync(settings, configuration(options, port, controllerPort, logs));
  await format(java, jars, settings, logs);
  const child = await Child.start({
    name: "kafka",
    command: java,
    args: [...brokerFlags(options), "-cp", `${jars}/*`, "kafka.Kafka", settings],
    cwd: workingDirectory,
    logFile: join(options.directory, "kafka.log"),
    stopTimeoutMs: 30_000,
    dieWithParent: options.ephemeral === true,
  });
  options.onSpawn?.(child);
  const broker = `127.0.0.1:${port}`;
  await untilReady(child, async () => (await kafkaIsReady(broker)) && (await kafkaCoordinates(broker)), {
    timeoutMs: options.readyTimeoutMs,
    advice: `read ${join(options.directory, "kafka.log")}.`,
  });
  return running(child, port, broker);
}
