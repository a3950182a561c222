import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HeapReading } from "./node-heap.ts";

/**
 * Read by the services of a soak before their own modules (`--import`). On SIGWINCH, which means nothing to a process
 * without a terminal, it collects all garbage and writes down what is left, so that what is kept can be told from what
 * has merely not been collected yet.
 */
const folder = process.env.SOAK_FOLDER;
const collect = globalThis.gc;

if (folder !== undefined && collect !== undefined) {
  process.on("SIGWINCH", () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    const resources: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
    const reading: HeapReading = { takenAtMs: Date.now(), heapUsed, external, resources };
    const file = join(folder, `${process.pid}.json`);
    writeFileSync(`${file}.new`, JSON.stringify(reading));
    renameSync(`${file}.new`, file);
  });
}
