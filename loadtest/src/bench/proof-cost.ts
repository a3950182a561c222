import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFeed } from "../generator/feed.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, connections, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";

const requestsPerSample = 150_000;
/** With one, nine rounds spread from 0.77 to 1.39: a single sample drifts by more than the proof costs. */
const samplesPerStart = 3;
const restartedWithinMs = 60_000;

/**
 * Throughput of single claims with the running proof ÷ without, in turns: the ledger is started anew for each, with the
 * setting in its environment, and everything else stays.
 */
export async function measureProofCost(context: BenchContext): Promise<Measure> {
  const batch = await makeBatch(context.desk, "proof cost", { total: 100_000_000, perUser: 1 });
  const samples: number[] = [];
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      const rates = new Map<string, number>();
      for (const everyMs of round % 2 === 0 ? ["0", "1000"] : ["1000", "0"]) {
        await restartLedger(context, everyMs);
        rates.set(everyMs, await meanClaimRate(context, batch.batchId, `proof-${round}-${everyMs}`));
      }
      const [without = 0, withProof = 0] = [rates.get("0"), rates.get("1000")];
      samples.push(withProof / without);
      context.progress(`proof_cost, round ${round + 1}: ${Math.round(withProof)} ÷ ${Math.round(without)} claims/s`);
    }
  } finally {
    delete process.env.PROOF_EVERY_MS;
  }
  return toMeasure(
    "proof_cost",
    samples,
    `${context.rounds} rounds in turns of ${samplesPerStart} samples, a round of the proof every second`,
  );
}

async function meanClaimRate(context: BenchContext, batchId: string, run: string): Promise<number> {
  let sum = 0;
  for (let sample = 0; sample < samplesPerStart; sample += 1)
    sum += await claimRate(context, batchId, `${run}-${sample}`);
  return sum / samplesPerStart;
}

async function claimRate(context: BenchContext, batchId: string, run: string): Promise<number> {
  const { port, host } = new URL(context.local.urls.issuing);
  const feed = join(context.folder, "proof");
  writeFeed(feed, host, claimRequests(context.caller, batchId, run, requestsPerSample));
  const job = { host: "127.0.0.1", port: Number(port), connections, feed, repeat: false, watch: [] };
  const sample = await context.generator.run({ ...job, warmUpMs, durationMs });
  const { sent, seconds, allStatuses } = sample;
  if ((allStatuses[201] ?? 0) === 0)
    throw new Error(`proof_cost could not be measured: ${JSON.stringify(allStatuses)}`);
  return sent / seconds;
}

/** The stack starts a process that ends again, in the environment of now. */
async function restartLedger(context: BenchContext, everyMs: string): Promise<void> {
  process.env.PROOF_EVERY_MS = everyMs;
  const [before = 0] = [context.local.stack.pids().ledger ?? []].flat();
  process.kill(before, "SIGTERM");
  const deadline = performance.now() + restartedWithinMs;
  while (performance.now() < deadline) {
    await sleep(100);
    const [pid = before] = [context.local.stack.pids().ledger ?? []].flat();
    if (pid === before) continue;
    const isReady = await fetch(`${context.local.urls.ledger}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return untilQuiet(context);
  }
  throw new Error(`The ledger did not come back within ${restartedWithinMs} ms`);
}
