import { expect, test } from "vitest";
import { readArguments } from "./arguments.ts";
import { judgeMeasure, measureRules, median, toMeasure } from "./measures.ts";
import { printReport, toJson } from "./report.ts";

test("the median is the middle one, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test("a ratio is better when it is more, a time when it is less", () => {
  expect(judgeMeasure({ id: "claim", value: 0.95 })).toBe("AIM");
  expect(judgeMeasure({ id: "claim", value: 0.8 })).toBe("FLOOR");
  expect(judgeMeasure({ id: "claim", value: 0.79 })).toBe("MISS");
  expect(judgeMeasure({ id: "take_over", value: 1.2 })).toBe("AIM");
  expect(judgeMeasure({ id: "take_over", value: 5 })).toBe("FLOOR");
  expect(judgeMeasure({ id: "claim_cpu", value: 1.31 })).toBe("MISS");
});

test("a measure without samples, or with one that is no number, is a failure to measure", () => {
  expect(() => toMeasure("claim", [], "")).toThrow("claim could not be measured");
  expect(() => toMeasure("claim", [0.9, Number.NaN], "")).toThrow("claim could not be measured");
});

test("arguments name measures, in the table's order, or all", () => {
  expect(readArguments(["--", "take_over", "claim", "--json"])).toEqual({
    json: true,
    rounds: 5,
    ids: ["claim", "take_over"],
  });
  expect(readArguments([]).ids).toHaveLength(19);
  expect(() => readArguments(["clame"])).toThrow("There is no measure clame; there are: claim,");
  expect(() => readArguments(["--rounds", "0"])).toThrow("--rounds");
});

test("the table says MISS, and the JSON is one object with the fields that were promised", () => {
  const measures = [toMeasure("claim", [0.7, 0.6, 0.9], "10,000/s"), toMeasure("bytes_1m", [21.5], "")];
  const text = printReport({ cores: 2 }, measures);
  expect(text).toMatch(/claim ÷ signed echo .* 0\.70 .* 0\.60–0\.90 \(3\) .* ≥ 0\.80 .* MISS/);
  expect(text).toContain("cores: 2");
  expect(JSON.parse(toJson({ cores: 2 }, measures))).toEqual({
    configuration: { cores: 2 },
    measures: [
      { id: "claim", value: 0.7, unit: "ratio", floor: 0.8, aim: 0.95, samples: [0.7, 0.6, 0.9] },
      { id: "bytes_1m", value: 21.5, unit: "B", floor: 40, aim: 24, samples: [21.5] },
    ],
  });
  expect(new Set(measureRules.map((it) => it.id)).size).toBe(19);
});
