import { expect, test } from "vitest";
import { Admission } from "./admission.ts";
import { loadClasses, loadClassOf } from "./load-class.ts";

function admissionWith(change: object = {}) {
  const answered: string[] = [];
  const admission = new Admission<string>({
    ...{ initial: 100, min: 20, max: 150, tolerance: 2, latencyMsMin: 10 },
    ...{ refusalsPerServed: 0.1, refusalBurst: 1, refusalHoldMsMax: 1_000, refusalsHeldMax: 10 },
    answer: (held) => answered.push(held),
    ...change,
  });
  return { admission, answered };
}

test("as more is under way, reads are refused first, then jobs, claims and locks, and checkout last", () => {
  const { admission } = admissionWith();
  const stoppedAt: Record<string, number> = {};
  for (let inFlight = 0; inFlight <= 150; inFlight += 1) {
    for (const name of loadClasses) if (!admission.admits(name)) stoppedAt[name] ??= inFlight;
    admission.entered();
  }
  expect(stoppedAt).toEqual({ reads: 70, jobs: 80, claims: 90, locks: 100, critical: 150 });
});

test("the bounds follow the limit, and the limit follows the latency of claims alone", () => {
  const { admission } = admissionWith();
  const round = (latencyMs: number, loadClass: "claims" | "critical") => {
    for (let i = 0; i < 90; i += 1) admission.entered();
    for (let i = 0; i < 90; i += 1) admission.left(loadClass, latencyMs);
    admission.tick(0);
  };
  round(20, "claims");
  expect(admission.limit).toBe(110);
  for (let i = 0; i < 10; i += 1) round(500, "critical");
  expect(admission.limit).toBe(110);
  for (let i = 0; i < 10; i += 1) round(500, "claims");
  expect(admission.limit).toBeLessThan(70);
  for (let i = 0; i < 65; i += 1) admission.entered();
  expect(admission.admits("claims")).toBe(false);
  expect(admission.admits("critical")).toBe(true);
});

test("refusals are counted by class, held, and all answered at the end", () => {
  const { admission, answered } = admissionWith();
  for (const one of ["a", "b", "c"]) admission.refuse("claims", one, 0);
  admission.refuse("reads", "d", 500);
  expect(admission.refused).toMatchObject({ claims: 3, reads: 1, critical: 0 });
  expect(answered).toEqual(["a"]);
  admission.tick(1_000);
  expect(answered).toEqual(["a", "b", "c"]);
  admission.close();
  admission.refuse("claims", "e", 1_100);
  expect(answered).toEqual(["a", "b", "c", "d", "e"]);
  expect(admission.held).toBe(0);
});

test("a route without a class can't be added", () => {
  expect(loadClassOf("HEAD", "/v1/orders/:orderId")).toBe("reads");
  expect(() => loadClassOf("POST", "/v1/new")).toThrow("POST /v1/new has no load class");
});
