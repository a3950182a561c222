import { readFileSync } from "node:fs";
import { execa } from "execa";
import { Listr, type ListrTask } from "listr2";
import type { PartName } from "../parts/part.ts";
import { StackFailure } from "../stack-failure.ts";
import { findProgram } from "./find-program.ts";
import { javaOnMachine } from "./java.ts";
import { kafkaJars, kafkaJarsOnMachine } from "./kafka-jars.ts";

/** A Debian package that is missing; the alternatives are tried in order, for releases carry different ones. */
export interface MissingPackage {
  readonly what: string;
  readonly alternatives: readonly string[];
}

/** What has to be fetched before the wanted parts can start. */
export interface MissingParts {
  readonly packages: readonly MissingPackage[];
  readonly kafkaJars: boolean;
}

const JAVA_PACKAGES = ["openjdk-17-jre-headless", "openjdk-21-jre-headless", "openjdk-25-jre-headless"];

/** Looks what of the wanted parts this machine lacks. Nothing is changed. */
export async function missingParts(wanted: readonly PartName[]): Promise<MissingParts> {
  const packages: MissingPackage[] = [];
  let jars = false;
  if (wanted.includes("redis") && findProgram("redis-server", "valkey-server") === undefined) {
    packages.push({ what: "Redis", alternatives: ["redis-server", "valkey-server"] });
  }
  if (wanted.includes("kafka")) {
    jars = kafkaJarsOnMachine() === undefined;
    if ((await javaOnMachine()) === undefined) packages.push({ what: "Java", alternatives: JAVA_PACKAGES });
    if (jars && findProgram("mvn") === undefined) packages.push({ what: "Maven", alternatives: ["maven"] });
  }
  return { packages, kafkaJars: jars };
}

/** How to become root for apt-get: directly, through a sudo that asks nothing, or not at all. */
async function rootPrefix(): Promise<readonly string[] | undefined> {
  if (findProgram("apt-get") === undefined) return undefined;
  if (process.getuid?.() === 0) return [];
  if (findProgram("sudo") === undefined) return undefined;
  const sudo = await execa("sudo", ["-n", "true"], { reject: false });
  return sudo.exitCode === 0 ? ["sudo", "-n"] : undefined;
}

function cannotInstall(missing: MissingParts): StackFailure {
  const names = missing.packages.map((entry) => entry.alternatives[0]).join(" ");
  const whats = missing.packages.map((entry) => entry.what).join(", ");
  return new StackFailure(
    "part_missing",
    `${whats} can't be installed from here: run \`apt-get install ${names}\` as root and start again, or set REDIS_URL and KAFKA_BROKERS to running ones.`,
  );
}

/** Runs apt-get and shows its last line as the task's progress. */
async function aptGet(
  prefix: readonly string[],
  words: readonly string[],
  show: (line: string) => void,
): Promise<string> {
  const [command = "apt-get", ...args] = [...prefix, "apt-get", "-y", "-q", ...words];
  // RUNLEVEL=1 keeps a package from starting its own daemon where invoke-rc.d heeds it.
  const child = execa(command, args, {
    reject: false,
    all: true,
    env: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1", LC_ALL: "C" },
  });
  for await (const line of child.iterable({ from: "all" })) show(String(line));
  const result = await child;
  return result.exitCode === 0 ? "" : String(result.all).slice(-2_000);
}

async function installPackage(
  prefix: readonly string[],
  missing: MissingPackage,
  show: (line: string) => void,
): Promise<void> {
  let detail = "";
  for (const name of missing.alternatives) {
    detail = await aptGet(prefix, ["install", "--no-install-recommends", name], show);
    if (detail === "") return;
  }
  const names = missing.alternatives.join(" or ");
  throw new StackFailure(
    "part_missing",
    `${missing.what} can't be installed with apt-get: install ${names} by hand and start again.`,
    detail,
  );
}

function packageLists(): boolean {
  try {
    return /^[^#]*\bdeb\b/m.test(readFileSync("/etc/apt/sources.list", "utf8"));
  } catch {
    return false;
  }
}

/** One task for each thing that is missing, in the order in which they must happen. */
function tasksFor(missing: MissingParts, prefix: readonly string[]): ListrTask[] {
  const tasks: ListrTask[] = [];
  if (missing.packages.length > 0) {
    tasks.push({
      title: "Refresh the package lists",
      task: async (_, task) => {
        const detail = await aptGet(prefix, ["update"], (line) => {
          task.output = line;
        });
        // Old lists may do; where they don't, the install that fails tells what is wrong.
        if (detail !== "" && !packageLists()) task.skip("Package lists could not be refreshed");
      },
    });
  }
  for (const entry of missing.packages) {
    tasks.push({
      title: `Install ${entry.what}`,
      task: (_, task) =>
        installPackage(prefix, entry, (line) => {
          task.output = line;
        }),
    });
  }
  if (missing.kafkaJars) {
    tasks.push({ title: "Fetch Kafka's jars (54 MB)", task: async () => void (await kafkaJars()) });
  }
  return tasks;
}

/**
 * Installs what the wanted parts lack, with progress on the terminal: Debian packages through apt-get (as root
 * or through sudo), Kafka's jars through Maven. Does nothing when nothing is missing.
 * Throws a StackFailure `part_missing` that says what to install when it can't.
 */
export async function installMissing(wanted: readonly PartName[]): Promise<void> {
  const missing = await missingParts(wanted);
  if (missing.packages.length === 0 && !missing.kafkaJars) return;
  const prefix = missing.packages.length === 0 ? [] : await rootPrefix();
  if (prefix === undefined) throw cannotInstall(missing);
  const tasks = new Listr(tasksFor(missing, prefix), {
    concurrent: false,
    exitOnError: true,
    fallbackRenderer: "simple",
    // Ctrl-C belongs to whoever runs the stack.
    registerSignalListeners: false,
  });
  await tasks.run();
}
