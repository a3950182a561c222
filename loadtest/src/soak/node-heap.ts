import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { waitUntil } from "@coupon/stack";
import type { Figures } from "./sample.ts";

/** What a service has after its garbage is collected. */
export interface HeapReading {
  takenAtMs: number;
  heapUsed: number;
  external: number;
  /** Of `process.getActiveResourcesInfo()`, by kind. */
  resources: Record<string, number>;
}

const answersWithinMs = 10_000;

/** Environment of services whose heaps can be read. `folder` is where they write the readings. */
export function probedEnvironment(folder: string): Record<string, string> {
  const probe = pathToFileURL(join(import.meta.dirname, "heap-probe.ts")).href;
  const options = [process.env.NODE_OPTIONS ?? "", "--expose-gc", `--import=${probe}`];
  return { SOAK_FOLDER: folder, NODE_OPTIONS: options.join(" ").trim() };
}

/** Has a service collect its garbage and tell what is left. Throws where it does not answer. */
export async function readHeap(folder: string, pid: number): Promise<HeapReading> {
  const askedAtMs = Date.now();
  process.kill(pid, "SIGWINCH");
  const reading = await waitUntil(async () => newReading(join(folder, `${pid}.json`), askedAtMs), {
    timeoutMs: answersWithinMs,
    intervalMs: 20,
  });
  if (reading === undefined) throw new Error(`Process ${pid} does not say what is on its heap`);
  return reading;
}

function newReading(file: string, askedAtMs: number): HeapReading | undefined {
  try {
    const reading = JSON.parse(readFileSync(file, "utf8")) as HeapReading;
    return reading.takenAtMs >= askedAtMs ? reading : undefined;
  } catch {
    return undefined;
  }
}

const timerKinds = new Set(["Timeout", "Immediate"]);

/** Sockets are counted among the descriptors, and come and go with callers' connections: not here. */
export function heapFigures({ heapUsed, external, resources }: HeapReading): Figures {
  const count = (counts: (kind: string) => boolean) =>
    Object.entries(resources).reduce((sum, [kind, number]) => sum + (counts(kind) ? number : 0), 0);
  return {
    heap: heapUsed,
    external,
    timers: count((kind) => timerKinds.has(kind)),
    handles: count((kind) => !timerKinds.has(kind) && !kind.startsWith("TCP")),
  };
}
