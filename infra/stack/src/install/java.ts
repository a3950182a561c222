import { join } from "node:path";
import { execa } from "execa";
import { StackFailure } from "../stack-failure.ts";
import { findProgram } from "./find-program.ts";

/** Kafka 4 brokers need it. */
export const JAVA_VERSION_MIN = 17;

async function versionOf(java: string): Promise<number> {
  const result = await execa(java, ["-version"], { reject: false, all: true });
  const found = /version "(\d+)/.exec(String(result.all));
  return Number(found?.[1] ?? 0);
}

/** A Java runtime that can run the broker: that of JAVA_HOME, else that of PATH; `undefined` when neither is new enough. */
export async function javaOnMachine(): Promise<string | undefined> {
  const home = process.env.JAVA_HOME;
  const candidates = [home === undefined ? undefined : findProgram(join(home, "bin", "java")), findProgram("java")];
  for (const java of candidates) {
    if (java !== undefined && (await versionOf(java)) >= JAVA_VERSION_MIN) return java;
  }
  return undefined;
}

let found: Promise<string | undefined> | undefined;

/** Like {@link javaOnMachine}, asked once per process. Throws a StackFailure `part_missing`. */
export async function findJava(): Promise<string> {
  found ??= javaOnMachine();
  const java = await found;
  if (java !== undefined) return java;
  found = undefined;
  throw new StackFailure(
    "part_missing",
    `Java ${JAVA_VERSION_MIN} or later is missing: install it with \`apt-get install openjdk-17-jre-headless\` or set KAFKA_BROKERS to running brokers.`,
  );
}
