import { expect, test } from "vitest";
import { AdaptiveLimit } from "./adaptive-limit.ts";

const settings = { initial: 100, min: 20, max: 400, tolerance: 2, latencyMsMin: 10 };

/** One window in which as many as the limit allows are under way. */
function window(limit: AdaptiveLimit, latencyMs: number, limiting = false, inFlight = limit.limit): void {
  for (let i = 0; i < 20; i += 1) limit.record(latencyMs);
  limit.adjust(inFlight, limiting);
}

test("grows by its root while latency is as usual, up to its greatest value", () => {
  const limit = new AdaptiveLimit(settings);
  window(limit, 20);
  expect(limit.limit).toBe(110);
  for (let i = 0; i < 100; i += 1) window(limit, 20);
  expect(limit.limit).toBe(400);
});

test("shrinks while latency is beyond its tolerance, down to its least value, and recovers", () => {
  const limit = new AdaptiveLimit(settings);
  window(limit, 20);
  for (let i = 0; i < 5; i += 1) window(limit, 80, true);
  expect(limit.limit).toBeLessThan(90);
  for (let i = 0; i < 50; i += 1) window(limit, 80, true);
  expect(limit.limit).toBeLessThan(40);
  for (let i = 0; i < 100; i += 1) window(limit, 20);
  expect(limit.limit).toBe(400);
});

test("settles where latency is the tolerated multiple, when latency follows what is under way", () => {
  const limit = new AdaptiveLimit(settings);
  for (let i = 0; i < 20; i += 1) window(limit, 20, false, 10);
  // A server that takes 0.2 ms each: at 200 under way everybody waits 40 ms.
  for (let i = 0; i < 100; i += 1) window(limit, limit.limit * 0.2, true);
  expect(limit.limit * 0.2).toBeGreaterThan(30);
  expect(limit.limit * 0.2).toBeLessThan(55);
});

test("an overload of a minute does not become the usual", () => {
  const limit = new AdaptiveLimit(settings);
  for (let i = 0; i < 20; i += 1) window(limit, 20, false, 10);
  for (let i = 0; i < 100; i += 1) window(limit, 60, true);
  expect(limit.usualMs).toBeLessThan(30);
});

test("what is slower for good becomes the usual slowly, and what was slow for a while is forgotten quickly", () => {
  const limit = new AdaptiveLimit(settings);
  window(limit, 20);
  for (let i = 0; i < 10; i += 1) window(limit, 100);
  expect(limit.usualMs).toBeLessThan(40);
  for (let i = 0; i < 300; i += 1) window(limit, 100);
  expect(limit.usualMs).toBeGreaterThan(95);
  for (let i = 0; i < 20; i += 1) window(limit, 20);
  expect(limit.usualMs).toBeLessThan(32);
});

test("latency below the floor is not overload, however low the usual one is", () => {
  const limit = new AdaptiveLimit(settings);
  for (let i = 0; i < 50; i += 1) window(limit, 1, false, 1);
  expect(limit.limit).toBe(100);
  window(limit, 9);
  expect(limit.limit).toBe(110);
});

test("too few samples and too little under way change nothing", () => {
  const limit = new AdaptiveLimit(settings);
  for (let i = 0; i < 9; i += 1) limit.record(20);
  limit.adjust(100, false);
  window(limit, 20, false, 49);
  expect(limit.limit).toBe(100);
});
