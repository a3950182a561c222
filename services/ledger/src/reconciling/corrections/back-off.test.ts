import { expect, it } from "vitest";
import { BackOff } from "./back-off.ts";

it("doubles the wait up to a limit, each thing for itself, until it is done", () => {
  const backOff = new BackOff({ leastMs: 1_000, mostMs: 3_000 });
  const dueAfter = (nowMs: number) =>
    [999, 1_000, 1_999, 2_000, 2_999, 3_000].find((ms) => backOff.isDue("a", nowMs + ms));
  expect(backOff.isDue("a", 0)).toBe(true);
  const waits = [0, 10_000, 20_000, 30_000].map((nowMs) => {
    backOff.failed("a", nowMs);
    return dueAfter(nowMs);
  });
  expect(waits).toEqual([1_000, 2_000, 3_000, 3_000]);
  expect(backOff.isDue("b", 30_000)).toBe(true);
  backOff.keepOnly(new Set(["a"]));
  expect(backOff.isDue("a", 30_000)).toBe(false);
  backOff.keepOnly(new Set(["b"]));
  expect(backOff.isDue("a", 30_000)).toBe(true);
});
