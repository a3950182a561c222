import { expect, onTestFinished, test } from "vitest";
import { drawSchedule } from "../../src/faults/draw-schedule.ts";
import { Parts } from "../../src/faults/parts.ts";
import { runSchedule } from "../../src/faults/run-schedule.ts";

const SCHEDULES = Number(process.env.FAULT_SCHEDULES ?? 3);
const FIRST_SEED = Number(process.env.FAULT_START ?? 1);
/** A schedule takes about 6 s here; with a broker that is restarted and a shard that waits for it, three times that. */
const BUDGET_MS = 20_000 + SCHEDULES * 20_000;

test(`${SCHEDULES} schedules of faults break no promise`, { timeout: BUDGET_MS }, async () => {
  const parts = new Parts();
  onTestFinished(() => parts.stop());
  await parts.start();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
    const { findings, operations } = await runSchedule(parts, drawSchedule(seed));
    expect({ seed, findings }).toEqual({ seed, findings: [] });
    expect(operations).toBeGreaterThan(10);
  }
});
