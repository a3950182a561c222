import { eventually } from "@coupon/testkit";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createBreaker } from "../src/index.ts";

test("passes values on, counts failures, opens, and tries again after its rest", async () => {
  const registry = new Registry();
  let works = false;
  let calls = 0;
  const breaker = createBreaker(
    async (value: number) => {
      calls++;
      if (!works) throw new Error("down");
      return value * 2;
    },
    { name: "risk", timeoutMs: 1_000, volumeThreshold: 3, resetAfterMs: 30, registry },
  );
  for (let i = 0; i < 3; i++) expect(await breaker.call(1)).toMatchObject({ ok: false, reason: "failed" });
  expect(breaker.isOpen).toBe(true);
  expect(await breaker.call(1)).toMatchObject({ ok: false, reason: "open" });
  expect(calls).toBe(3);
  expect(await registry.metrics()).toContain('breaker_open{breaker="risk"} 1');
  works = true;
  const result = await eventually(async () => {
    const tried = await breaker.call(21);
    return tried.ok && tried;
  });
  expect(result.value).toBe(42);
  expect(breaker.isOpen).toBe(false);
  const text = await registry.metrics();
  expect(text).toContain('breaker_calls_total{breaker="risk",result="failed"} 3');
  expect(text).toContain('breaker_calls_total{breaker="risk",result="ok"} 1');
  breaker.close();
  expect(await breaker.call(1)).toMatchObject({ ok: false, reason: "open" });
});

test("a slow call times out and more calls than its capacity are turned away", async () => {
  const registry = new Registry();
  const slow = createBreaker(() => new Promise<void>(() => {}), { name: "slow", timeoutMs: 20, capacity: 1, registry });
  const other = createBreaker(async () => 1, { name: "other", timeoutMs: 20, registry });
  const first = slow.call();
  expect(await slow.call()).toMatchObject({ ok: false, reason: "full" });
  expect(await first).toMatchObject({ ok: false, reason: "timed_out" });
  expect(await other.call()).toEqual({ ok: true, value: 1 });
  slow.close();
  other.close();
});
