import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { StackFailure } from "../stack-failure.ts";
import { cacheFolder } from "./cache-folder.ts";
import { findProgram } from "./find-program.ts";

const POM = fileURLToPath(new URL("../../pom.xml", import.meta.url));

function hasBroker(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).some((name) => /^kafka_2\.13-4\..*\.jar$/.test(name));
}

/** The folder that holds, or will hold, the broker's jars: named after the pom, so that another pom fetches anew. */
function jarsFolder(): string {
  const digest = createHash("sha256").update(readFileSync(POM)).digest("hex").slice(0, 12);
  return join(cacheFolder(), `kafka-${digest}`);
}

/** The broker's jars on this machine: those of `$KAFKA_HOME/libs` (Kafka 4), else those fetched before. */
export function kafkaJarsOnMachine(): string | undefined {
  const home = process.env.KAFKA_HOME;
  const candidates = [home === undefined ? "" : join(home, "libs"), jarsFolder()];
  return candidates.find(hasBroker);
}

/**
 * The folder with the broker's jars; fetches them from Maven Central with `mvn` on first use (54 MB).
 * Several processes may do so at once: the folder appears whole or not at all.
 * Throws StackFailures `part_missing` (no Maven) and `part_failed` (no download).
 */
export async function kafkaJars(): Promise<string> {
  const present = kafkaJarsOnMachine();
  if (present !== undefined) return present;
  const maven = findProgram("mvn");
  if (maven === undefined) {
    throw new StackFailure(
      "part_missing",
      "Maven, which fetches Kafka's jars, is missing: install it with `apt-get install maven`, or set KAFKA_HOME to a Kafka 4, or KAFKA_BROKERS to running brokers.",
    );
  }
  const folder = jarsFolder();
  const incoming = `${folder}.${process.pid}`;
  const goals = ["-q", "-B", "-f", POM, "dependency:copy-dependencies", `-DoutputDirectory=${incoming}`];
  const result = await execa(maven, goals, { reject: false, all: true });
  if (result.exitCode !== 0 || !hasBroker(incoming)) {
    rmSync(incoming, { recursive: true, force: true });
    throw new StackFailure(
      "part_failed",
      "Kafka's jars can't be fetched: check that Maven Central can be reached and start again.",
      String(result.all).slice(-2_000),
    );
  }
  try {
    renameSync(incoming, folder);
  } catch {
    // Another process was faster; its folder is as good.
    rmSync(incoming, { recursive: true, force: true });
  }
  return folder;
}
