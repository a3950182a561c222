import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { INTERNAL_TOKEN, World } from "../../../test/support/world.ts";

const world = new World();
const COUPON = "11ABCDEFGHJKMNPQRSTVWXYZ01234567";
const deactivate = (id: string, ask: object = {}, who: "operator" | "viewer" | null = "operator") =>
  world.call(who, "POST", `/ops/v1/coupons/${id}/deactivate`, ask);
const dead = { couponId: COUPON, batchId: "bat_1", state: "deactivated" };

beforeAll(() => world.start({ env: { INTERNAL_TIMEOUT_MS: "2000" } }));
afterAll(() => world.close());

describe("POST /ops/v1/coupons/{id}/deactivate", () => {
  test("200 with the coupon, carried out by issuing and audited before and after", async () => {
    world.issuing.answer = () => ({ status: 200, body: dead });
    const answer = await deactivate(COUPON.toLowerCase(), { body: { reason: "stolen" } });
    expect(answer).toMatchObject({ status: 200, body: dead });
    expect(world.issuing.requests.at(-1)).toMatchObject({
      ...{ method: "POST", path: `/internal/v1/coupons/${COUPON}/deactivate`, body: { reason: "stolen" } },
      authorization: `Bearer ${INTERNAL_TOKEN}`,
    });
    const audits = await world.prisma.audit.findMany({ where: { resourceId: COUPON }, orderBy: { auditId: "asc" } });
    expect(audits).toMatchObject([
      { actor: "olga", action: "ask_to_deactivate", request: { reason: "stolen" } },
      { actor: "olga", action: "deactivate", after: dead },
    ]);
  });

  test("200 without a body", async () => {
    world.issuing.answer = () => ({ status: 200, body: dead });
    expect((await deactivate(COUPON)).status).toBe(200);
  });

  test.each([
    ["coupon_not_found", 404],
    ["coupon_redeemed", 409],
    ["shard_recovering", 503],
    ["log_unavailable", 503],
    ["ledger_behind", 503],
    ["ledger_unavailable", 503],
  ] as const)("%s as issuing says", async (code, status) => {
    world.issuing.answer = () => ({ status, body: { code } });
    const answer = await deactivate(COUPON);
    expectRefusal(answer, code);
    const last = await world.prisma.audit.findFirst({ orderBy: { auditId: "desc" } });
    expect(last).toMatchObject({ action: "deactivate", after: { refused: code } });
  });

  test.each([
    ["hangs", () => "hang" as const],
    ["fails", () => ({ status: 500, body: { code: "internal_error" } })],
    ["is behind something that says no more than 503", () => ({ status: 503, body: {} })],
  ])("503 where issuing %s", async (_what, answer) => {
    world.issuing.answer = answer;
    expectRefusal(await deactivate(COUPON), "shard_recovering", { outcome: "unknown" });
  });

  test("a refusal of issuing's keeps its wait, and however many there are, issuing is still asked", async () => {
    world.issuing.answer = () => ({ status: 503, body: { code: "ledger_behind", retryAfterSeconds: 7 } });
    const asked = world.issuing.requests.length;
    for (let i = 0; i < 30; i += 1) expect((await deactivate(COUPON)).headers["retry-after"]).toBe("7");
    expect(world.issuing.requests.length).toBe(asked + 30);
  });

  test("issuing is told the trace that the operator's request is part of", async () => {
    world.issuing.answer = () => ({ status: 200, body: dead });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    await deactivate(COUPON, { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    expect(world.issuing.requests.at(-1)?.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  });

  test("400, 401, 403", async () => {
    for (const id of ["%00", "%F0%9F%8E%9F", "A".repeat(33)]) expectRefusal(await deactivate(id), "request_invalid");
    expectRefusal(await deactivate(COUPON, { body: { why: "x" } }), "request_invalid");
    expectRefusal(await deactivate(COUPON, {}, null), "token_invalid");
    expectRefusal(await deactivate(COUPON, {}, "viewer"), "role_missing");
  });
});
