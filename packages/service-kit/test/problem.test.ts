import { type Refusal, type RefusalCode, refusals } from "@coupon/domain";
import { fastify } from "fastify";
import { describe, expect, test } from "vitest";
import { problemOf, problemText, refusalReply, retryAfterOf } from "../src/index.ts";

const limit = { name: 'per "user"', scope: "batch", max: 1, used: 1, resetsAt: "2026-01-01T00:00:00Z" };
const codes = Object.keys(refusals) as RefusalCode[];
const variants: Omit<Refusal, "code">[] = [
  {},
  { detail: 'A "quoted"\nline.' },
  { limit },
  { retryAfterSeconds: 2.3 },
  { errors: [{ pointer: "/a", message: "b" }] },
  { detail: "d", limit, retryAfterSeconds: 0, errors: [] },
];

describe.each(codes)("%s", (code) => {
  test("its text is the JSON of its object, whatever varies", () => {
    for (const variant of variants) {
      const refusal = { code, ...variant };
      expect(problemText(refusal)).toBe(JSON.stringify(problemOf(refusal)));
    }
  });

  test("says what the catalogue says", () => {
    const { status, retryable, outcome, title } = refusals[code];
    expect(problemOf({ code })).toMatchObject({
      type: `urn:coupon:problem:${code}`,
      code,
      status,
      retryable,
      outcome,
      title,
    });
  });
});

test("waiting is asked for in whole seconds, at least one, and by default where the platform is busy", () => {
  expect(retryAfterOf({ code: "overloaded" })).toBe(1);
  expect(retryAfterOf({ code: "overloaded", retryAfterSeconds: 2.1 })).toBe(3);
  expect(retryAfterOf({ code: "overloaded", retryAfterSeconds: 0 })).toBe(1);
  expect(retryAfterOf({ code: "stock_exhausted" })).toBeUndefined();
});

test("a reply carries Retry-After, the media type and further members", async () => {
  const app = fastify();
  app.get("/", async (_request, reply) =>
    refusalReply(reply, { code: "challenge_required" }, { challenge: { url: "https://x", token: "t" } }),
  );
  app.get("/busy", async (_request, reply) => refusalReply(reply, { code: "overloaded", retryAfterSeconds: 7 }, {}));
  const challenged = await app.inject("/");
  expect(challenged.statusCode).toBe(403);
  expect(challenged.json()).toMatchObject({ code: "challenge_required", challenge: { url: "https://x", token: "t" } });
  const busy = await app.inject("/busy");
  expect([busy.statusCode, busy.headers["retry-after"], busy.json().retryAfterSeconds]).toEqual([503, "7", 7]);
  expect(busy.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  await app.close();
});
