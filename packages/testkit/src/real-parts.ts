import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PartName, type Running, startKafka, startPostgres, startRedis } from "@coupon/stack";
import { FOLDER_PREFIX } from "./temporary-folder.ts";

/** The variable that names a part to everything that uses it. */
export const PART_VARIABLE = { redis: "REDIS_URL", kafka: "KAFKA_BROKERS", postgres: "DATABASE_URL" } as const;

const STARTERS = { redis: startRedis, kafka: startKafka, postgres: startPostgres } as const;

/** Real parts of one test run. */
export interface RealParts {
  /** Values of the variables that were not set before, and are set in this process' environment now. */
  readonly environment: Readonly<Record<string, string>>;
  /** Stops what was started, removes its folder and takes the variables back. */
  stop(): Promise<void>;
}

/**
 * Starts those of the parts that the environment doesn't name yet: ephemeral, on free ports, in a folder of
 * their own, so that concurrent runs never meet. A part named by REDIS_URL, KAFKA_BROKERS or DATABASE_URL is
 * used as it is. Parts die with this process, also when it is killed. Throws what starting them throws.
 */
export async function startRealParts(wanted: readonly PartName[]): Promise<RealParts> {
  const missing = wanted.filter((part) => (process.env[PART_VARIABLE[part]] ?? "") === "");
  if (missing.length === 0) return { environment: {}, stop: async () => undefined };
  removeAbandonedFolders();
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  const started = await Promise.allSettled(
    missing.map((part) => STARTERS[part]({ directory: makeFolder(folder, part), ephemeral: true })),
  );
  const parts = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = started.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await end(parts, folder);
    throw failed.reason;
  }
  const environment = Object.fromEntries(missing.map((part, index) => [PART_VARIABLE[part], parts[index]?.url ?? ""]));
  Object.assign(process.env, environment);
  return {
    environment,
    stop: async () => {
      for (const name of Object.keys(environment)) delete process.env[name];
      await end(parts, folder);
    },
  };
}

function makeFolder(folder: string, part: PartName): string {
  const path = join(folder, part);
  mkdirSync(path);
  return path;
}

async function end(parts: readonly Running[], folder: string): Promise<void> {
  await Promise.all(parts.map((part) => part.stop()));
  rmSync(folder, { recursive: true, force: true });
}

/** A run that was killed leaves its folder, though no process; the next run clears it away. */
function removeAbandonedFolders(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !pidExists(Number(owner)))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
