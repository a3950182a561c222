import { join } from "node:path";
import { readLogEnds, untilApplied } from "@coupon/demo";
import { writeFeed } from "../generator/feed.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, connections, untilQuiet } from "./context.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";

const totalSeconds = 60;
/** The load is made in parts, so that no feed needs hundreds of megabytes. */
const partSeconds = 10;
const catchUpWithinMs = 300_000;

/** 60 s of single claims as fast as they go; then how long until the ledger has the last of them. */
export async function measureCatchUp(context: BenchContext): Promise<Measure> {
  const { caller, generator, folder, local, reader, pool, progress } = context;
  const batch = await makeBatch(context.desk, "catch up", { total: 100_000_000, perUser: 1 });
  const { port, host } = new URL(local.urls.issuing);
  await untilQuiet(context);
  const parts = totalSeconds / partSeconds;
  const requests = await countNeeded(context, batch.batchId);
  for (let part = 0; part < parts; part += 1) {
    writeFeed(join(folder, `part-${part}`), host, claimRequests(caller, batch.batchId, `part-${part}`, requests));
  }
  await untilQuiet(context);
  let claims = 0;
  for (let part = 0; part < parts; part += 1) {
    const feed = join(folder, `part-${part}`);
    const times = { warmUpMs: 0, durationMs: partSeconds * 1_000 };
    const sample = await generator.run({
      host: "127.0.0.1",
      port: Number(port),
      connections,
      feed,
      repeat: false,
      watch: [],
      ...times,
    });
    const issued = sample.allStatuses[201] ?? 0;
    if (issued !== sample.sent || sample.exhausted) {
      throw new Error(`catch_up could not be measured: ${JSON.stringify(sample.allStatuses)} of ${sample.sent}`);
    }
    claims += issued;
    progress(`catch_up: ${claims.toLocaleString("en-US")} claims`);
  }
  const endedAt = performance.now();
  await untilApplied(pool, await readLogEnds(reader, local.log.partitions), catchUpWithinMs);
  const seconds = (performance.now() - endedAt) / 1_000;
  const note = `${claims.toLocaleString("en-US")} claims in ${totalSeconds} s, applied ${seconds.toFixed(1)} s after the last`;
  return toMeasure("catch_up", [seconds / totalSeconds], note);
}

/** Requests for a part, with some to spare, from a short run that is also the warm-up. */
async function countNeeded(context: BenchContext, batchId: string): Promise<number> {
  const { caller, generator, folder, local } = context;
  const { port, host } = new URL(local.urls.issuing);
  const feed = join(folder, "pilot");
  writeFeed(feed, host, claimRequests(caller, batchId, "pilot", 150_000));
  const job = { host: "127.0.0.1", port: Number(port), connections, feed, repeat: false, watch: [] };
  const { perSecond } = await generator.run({ ...job, warmUpMs: 1_000, durationMs: 2_000 });
  return Math.ceil(perSecond * partSeconds * 1.6);
}
