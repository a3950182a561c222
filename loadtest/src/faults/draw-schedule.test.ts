import { expect, test } from "vitest";
import { drawSchedule } from "./draw-schedule.ts";
import { kindOf } from "./schedule.ts";
import { Summary } from "./summary.ts";

const seeds = Array.from({ length: 200 }, (_, seed) => seed + 1);

test("the same seed draws the same schedule, another seed another one", () => {
  const drawn = seeds.map((seed) => JSON.stringify(drawSchedule(seed)));
  expect(seeds.map((seed) => JSON.stringify(drawSchedule(seed)))).toEqual(drawn);
  expect(new Set(drawn).size).toBe(seeds.length);
});

test("200 seeds draw every kind of fault and of step", () => {
  const schedules = seeds.map(drawSchedule);
  const kinds = new Set(schedules.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
  expect([...kinds].sort()).toMatchInlineSnapshot(`
    [
      "broker-restart",
      "clock-step",
      "cut",
      "cut-within",
      "database-sessions-killed",
      "delay",
      "drop-replies",
      "kill",
      "redis-cut-short",
      "redis-wiped",
      "refuse",
      "stop",
      "term",
    ]
  `);
  const steps = new Set(
    schedules.flatMap(({ clients }) => clients.flatMap(({ steps }) => steps.map(({ ask }) => ask.do))),
  );
  expect([...steps].sort()).toEqual(["claim", "grant", "lock", "publish", "redeem", "release", "reverse"]);
});

test("a summary counts schedules, violations, operations and faults by kind", () => {
  const schedule = drawSchedule(1);
  const summary = new Summary();
  summary.add({ schedule, findings: [], operations: 10 });
  summary.add({ schedule, findings: [{ promise: "stuck", detail: "for ever" }], operations: 5 });
  expect(summary.text()).toContain("2 schedules, 1 with a violation, 15 operations");
  for (const fault of schedule.faults) expect(summary.text()).toContain(kindOf(fault));
});
