import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Parts, startParts } from "../../src/faults/parts.ts";
import { oneLine, writeHistory } from "../../src/faults/report.ts";
import { runSchedule } from "../../src/faults/run-schedule.ts";
import { drawSchedule, type Schedule } from "../../src/faults/schedule.ts";
import { tellHistory } from "../../src/faults/tell-history.ts";

/** How many schedules, and from which seed on. */
const schedules = Number(process.env.FAULT_SCHEDULES ?? 20);
const start = Number(process.env.FAULT_START ?? 1);
const seeds = Array.from({ length: schedules }, (_, index) => start + index);

let parts: Parts;
beforeAll(async () => {
  parts = await startParts();
}, 120_000);
afterAll(() => parts.stop());

/** Findings, or nothing; a history with findings is written down and named. */
async function violationsOf(schedule: Schedule): Promise<string> {
  const result = await runSchedule(parts, schedule);
  if (result.violations.length === 0) return "";
  const found = JSON.stringify(result.violations.slice(0, 5), null, 1);
  return [`${oneLine(result)}; see ${writeHistory(result)}`, found, ...tellHistory(result)].join("\n");
}

describe("under faults every promise holds, and everything heals", () => {
  test.for(seeds)("seed %i", async (seed) => {
    expect(await violationsOf(drawSchedule(seed))).toBe("");
  });
});
