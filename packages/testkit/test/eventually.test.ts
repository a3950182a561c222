import { expect, test } from "vitest";
import { eventually, uniqueName } from "../src/index.ts";

test("returns the first answer that is one", async () => {
  let asked = 0;
  expect(await eventually(() => (++asked < 3 ? undefined : asked), { intervalMs: 1 })).toBe(3);
  expect(await eventually(async () => 0)).toBe(0);
});

test("takes a check that throws for one that isn't so yet", async () => {
  let asked = 0;
  const check = (): string => {
    if (++asked < 3) throw new Error("not yet");
    return "now";
  };
  expect(await eventually(check, { intervalMs: 1 })).toBe("now");
});

test("says what was wrong last when the time is up", async () => {
  await expect(eventually(() => false, { timeoutMs: 20, intervalMs: 5 })).rejects.toThrow(
    "not so after 20 ms: the check answered false",
  );
  const failing = eventually(() => Promise.reject(new Error("still 7")), { timeoutMs: 20, intervalMs: 5 });
  await expect(failing).rejects.toThrow("not so after 20 ms: still 7");
});

test("unique names are unique and keep to letters that are legal everywhere", () => {
  const names = Array.from({ length: 1_000 }, () => uniqueName("batch"));
  expect(new Set(names).size).toBe(1_000);
  for (const name of names) expect(name).toMatch(/^batch-[0-9a-f]{12}$/);
});
