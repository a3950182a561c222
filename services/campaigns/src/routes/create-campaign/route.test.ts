import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { campaignBody } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const create = (body: unknown, who: "operator" | "viewer" | null = "operator") =>
  world.call(who, "POST", "/ops/v1/campaigns", { body });

beforeAll(() => world.start());
afterAll(() => world.close());

describe("POST /ops/v1/campaigns", () => {
  test("201 with nothing of its budget reserved", async () => {
    const answer = await create(campaignBody);
    expect(answer).toMatchObject({ status: 201, etag: '"1"' });
    expect(answer.body).toMatchObject({ ...campaignBody, reserved: { amount: 0, currency: "CNY" }, version: 1 });
  });

  test("201 with the greatest budget, exactly", async () => {
    const budget = { amount: Number.MAX_SAFE_INTEGER, currency: "CNY" };
    expect((await create({ ...campaignBody, budget })).body.budget).toEqual(budget);
  });

  test("401, 403", async () => {
    expectRefusal(await create(campaignBody, null), "token_invalid");
    expectRefusal(await create(campaignBody, "viewer"), "role_missing");
  });

  test.each([
    ["dates the wrong way round", { ...campaignBody, endsAt: campaignBody.startsAt }],
    ["a date that does not exist", { ...campaignBody, startsAt: "2026-02-30T00:00:00Z" }],
    ["a time without its zone", { ...campaignBody, startsAt: "2026-02-01T00:00:00" }],
    ["a negative budget", { ...campaignBody, budget: { amount: -1, currency: "CNY" } }],
    ["a fractional budget", { ...campaignBody, budget: { amount: 1.5, currency: "CNY" } }],
    ["a budget beyond what a number holds", { ...campaignBody, budget: { amount: 2 ** 53, currency: "CNY" } }],
    ["a currency that is none", { ...campaignBody, budget: { amount: 1, currency: "XQZ" } }],
    ["an unknown field", { ...campaignBody, reserved: { amount: 0, currency: "CNY" } }],
    ["a name of a control character", { ...campaignBody, name: "\u0007" }],
  ])("400 for %s", async (_what, body) => {
    const before = await world.prisma.campaign.count();
    expectRefusal(await create(body), "request_invalid");
    expect(await world.prisma.campaign.count()).toBe(before);
  });
});
