import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchTerms, Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
let parents = { campaignId: "", templateId: "" };
const create = (body: unknown, who: "operator" | "viewer" | null = "operator") =>
  world.call(who, "POST", "/ops/v1/batches", { body });

beforeAll(async () => {
  await world.start();
  const { campaignId } = (await desk.campaign()).body;
  const { templateId } = (await desk.template()).body;
  parents = { campaignId, templateId };
});
afterAll(() => world.close());

describe("POST /ops/v1/batches", () => {
  test("201 as a draft with a number of its own, and with what was left open filled in", async () => {
    const { shards: _, ...terms } = batchTerms;
    const first = await create({ ...parents, ...terms });
    const second = await create({ ...parents, ...terms, stock: { total: 25_000, perUser: 1 } });
    expect(first).toMatchObject({ status: 201, etag: '"1"' });
    expect(first.body).toMatchObject({
      ...{ ...parents, ...terms, state: "draft", revoked: false, sandbox: false, authors: ["olga"], inForce: false },
      funding: [{ party: "platform", basisPoints: 10_000 }],
      shards: 1,
    });
    expect(second.body.shards).toBe(1);
    expect(second.body.batchNumber).toBe(first.body.batchNumber + 1);
    expect(first.body).not.toHaveProperty("template");
  });

  test("401, 403", async () => {
    expectRefusal(await create({ ...parents, ...batchTerms }, null), "token_invalid");
    expectRefusal(await create({ ...parents, ...batchTerms }, "viewer"), "role_missing");
  });

  test("404 for a template or campaign that is not there", async () => {
    expectRefusal(await create({ ...parents, ...batchTerms, templateId: "tpl_1" }), "template_not_found");
    expectRefusal(await create({ ...parents, ...batchTerms, campaignId: "cmp_1" }), "campaign_not_found");
  });

  const stock = (change: object) => ({ ...batchTerms, stock: { ...batchTerms.stock, ...change } });

  test.each([
    [
      "a window that ends before it starts",
      { ...batchTerms, issueWindow: { from: batchTerms.issueWindow.until, until: batchTerms.issueWindow.from } },
    ],
    [
      "a window of no time",
      { ...batchTerms, issueWindow: { from: batchTerms.issueWindow.from, until: batchTerms.issueWindow.from } },
    ],
    ["no stock", stock({ total: 0 })],
    ["negative stock", stock({ total: -5 })],
    ["fractional stock", stock({ total: 1.5 })],
    ["stock beyond what a number holds", stock({ total: 2 ** 53 })],
    ["a day's stock above the total", stock({ perDay: 101 })],
    ["a user's limit above 1,000", stock({ perUser: 1_001 })],
    ["more shards than stock", { ...batchTerms, shards: 101 }],
    ["too many shards", { ...batchTerms, shards: 1_025 }],
    ["funding that does not add up", { ...batchTerms, funding: [{ party: "shop", basisPoints: 9_999 }] }],
    ["a caller twice", { ...batchTerms, callers: [...batchTerms.callers, ...batchTerms.callers] }],
    ["a caller with an emoji", { ...batchTerms, callers: [{ callerId: "🛒", may: ["issue"] }] }],
    ["a caller that may nothing", { ...batchTerms, callers: [{ callerId: "shop", may: [] }] }],
    ["an entitlement that is none", { ...batchTerms, callers: [{ callerId: "shop", may: ["steal"] }] }],
    ["an unknown field", { ...batchTerms, state: "issuing" }],
    ["an id with NUL", { ...batchTerms, templateId: "a\0" }],
    ["an id of 129 characters", { ...batchTerms, templateId: "a".repeat(129) }],
  ])("400 for %s", async (_what, terms) => {
    const before = await world.prisma.batch.count();
    expectRefusal(await create({ ...parents, ...terms }), "request_invalid");
    expect(await world.prisma.batch.count()).toBe(before);
  });

  test("400 for stock whose greatest liability is beyond what a number holds", async () => {
    const benefit = { kind: "amount_off", amount: 1_000_000_000_000, currency: "CNY" };
    const { templateId } = (await desk.template({ benefit })).body;
    const most = Math.floor(Number.MAX_SAFE_INTEGER / benefit.amount);
    expectRefusal(await create({ ...parents, ...stock({ total: most + 1 }), templateId }), "request_invalid");
    expect((await create({ ...parents, ...stock({ total: most }), templateId })).status).toBe(201);
  });

  test("400 for a template in another currency than the campaign's budget", async () => {
    const { templateId } = (await desk.template({ benefit: { kind: "amount_off", amount: 5, currency: "EUR" } })).body;
    const answer = await create({ ...parents, ...batchTerms, templateId });
    expectRefusal(answer, "request_invalid");
    expect(answer.body.errors[0].pointer).toBe("/templateId");
  });
});
