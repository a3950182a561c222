import { expect, test } from "vitest";
import type { Parts } from "./parts.ts";
import { runMany } from "./run-many.ts";

test("a schedule that can't be run to its end is its seed's failure, and there is a summary", async () => {
  const lines: string[] = [];
  // Without any part of it nothing can begin.
  const summary = await runMany({} as Parts, { seeds: 3, start: 7, print: (line) => lines.push(line) });
  expect(summary.failed).toEqual([7]);
  expect(summary.line(1)).toMatch(/^1 schedules, 1 violations \(seeds 7\)/);
  expect(lines[0]).toMatch(/^seed 7: BROKEN OFF/);
});
