import { join } from "node:path";
import { readLogEnds, untilApplied } from "@coupon/demo";
import { writeFeed } from "../generator/feed.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, connections, untilQuiet } from "./context.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";

const totalSeconds = 60;
/** The load is made in parts, each written while the one before it runs: no feed needs hundreds of megabytes. */
const requestsPerPart = 100_000;
const catchUpWithinMs = 300_000;

/** 60 s of single claims as fast as they go; then how long until the ledger has the last of them. */
export async function measureCatchUp(context: BenchContext): Promise<Measure> {
  const { caller, generator, folder, local, reader, pool, progress } = context;
  const batch = await makeBatch(context.desk, "catch up", { total: 100_000_000, perUser: 1 });
  const { port, host } = new URL(local.urls.issuing);
  await untilQuiet(context);
  const writePart = (part: number): string => {
    const feed = join(folder, `part-${part % 2}`);
    writeFeed(feed, host, claimRequests(caller, batch.batchId, `part-${part}`, requestsPerPart));
    return feed;
  };
  let feed = writePart(0);
  let claims = 0;
  let loadSeconds = 0;
  for (let part = 1; loadSeconds < totalSeconds; part += 1) {
    const job = { host: "127.0.0.1", port: Number(port), connections, feed, repeat: false, watch: [] };
    const running = generator.run({ ...job, warmUpMs: 0, durationMs: (totalSeconds - loadSeconds) * 1_000 });
    feed = writePart(part);
    const sample = await running;
    const issued = sample.allStatuses[201] ?? 0;
    if (issued !== sample.sent) {
      throw new Error(`catch_up could not be measured: ${JSON.stringify(sample.allStatuses)} of ${sample.sent}`);
    }
    claims += issued;
    loadSeconds += sample.seconds;
    progress(`catch_up: ${claims.toLocaleString("en-US")} claims in ${loadSeconds.toFixed(0)} s`);
  }
  const endedAt = performance.now();
  await untilApplied(pool, await readLogEnds(reader, local.log.partitions), catchUpWithinMs);
  const seconds = (performance.now() - endedAt) / 1_000;
  const rate = Math.round(claims / loadSeconds).toLocaleString("en-US");
  const note = `${rate} claims/s for ${loadSeconds.toFixed(0)} s, the last applied after ${seconds.toFixed(1)} s more`;
  return toMeasure("catch_up", [seconds / loadSeconds], note);
}
