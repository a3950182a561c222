import { expect, test } from "vitest";
import type { Answer, Operation } from "../owner/operation.ts";
import { Admission } from "./admission.ts";
import { ForwardedOperations } from "./forwarded-operations.ts";
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

const operation = (op: string, request: object = {}) => ({ op, batch: 1, shard: 0, request }) as never as Operation;

test("of a forwarded message each operation is let in by its class, and its grants are as one", async () => {
  const { admission } = admissionWith();
  for (let i = 0; i < 79; i += 1) admission.entered();
  const ask = async (): Promise<Answer> => ({ kind: "recovering" });
  const claim = operation("claim", { via: "c" });
  const grant = operation("claim", { via: "g" });
  const message = [grant, grant, grant, ...Array.from({ length: 15 }, () => claim), operation("redeem")];
  const forwarded = new ForwardedOperations(
    admission,
    ask,
    message.map((one) => [one, 1_000]),
  );
  const answers = message.map((one) => forwarded.submit(one, 1_000));
  expect(admission.inFlight).toBe(79 + 1 + 10 + 1);
  const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
  expect(kinds).toEqual([...new Array(3 + 10).fill("recovering"), ...new Array(5).fill("overloaded"), "recovering"]);
  expect(admission.refused).toMatchObject({ jobs: 0, claims: 5, critical: 0 });
  expect(admission.inFlight).toBe(79);
});

test("a route without a class can't be added", () => {
  expect(loadClassOf("HEAD", "/v1/orders/:orderId")).toBe("reads");
  expect(() => loadClassOf("POST", "/v1/new")).toThrow("POST /v1/new has no load class");
});
