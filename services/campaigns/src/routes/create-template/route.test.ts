import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { templateBody } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const create = (body: unknown, who: "operator" | "viewer" | "approver" | "nobody" | null = "operator") =>
  world.call(who, "POST", "/ops/v1/templates", { body });

beforeAll(() => world.start());
afterAll(() => world.close());

describe("POST /ops/v1/templates", () => {
  test("201 with an ETag and where it is", async () => {
    const answer = await create(templateBody);
    expect(answer.status).toBe(201);
    expect(answer.etag).toBe('"1"');
    expect(answer.headers.location).toBe(`/ops/v1/templates/${answer.body.templateId}`);
    expect(answer.body).toMatchObject({ ...templateBody, version: 1, createdBy: "olga" });
    expect(answer.headers["request-id"]).toBeTruthy();
  });

  test("201 with every optional part", async () => {
    const body = {
      ...templateBody,
      name: "Ten % off 🎉",
      benefit: { kind: "percent_off", basisPointsOff: 1_000, maxAmount: 5_000, currency: "CNY" },
      minimumSpend: { amount: 10_000, currency: "CNY" },
      validity: { from: "2026-03-01T00:00:00Z", until: "2026-04-01T00:00:00Z" },
      scope: { productIds: ["p1", "p2"], sellerIds: ["s1"] },
      refundPolicy: "forfeit",
    };
    const answer = await create(body);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject(body);
  });

  test("401 without a token, and with one that is none", async () => {
    expectRefusal(await create(templateBody, null), "token_invalid");
    const headers = { authorization: "Bearer a.b.c" };
    expectRefusal(
      await world.call(null, "POST", "/ops/v1/templates", { body: templateBody, headers }),
      "token_invalid",
    );
  });

  test.each(["viewer", "approver", "nobody"] as const)("403 for %s", async (who) => {
    expectRefusal(await create(templateBody, who), "role_missing");
  });

  const amountOff = (amount: unknown, currency: unknown = "CNY") => ({
    ...templateBody,
    benefit: { kind: "amount_off", amount, currency },
  });

  test.each([
    ["a missing field", { ...templateBody, timeZone: undefined }, "/timeZone"],
    ["an unknown field", { ...templateBody, discount: 5 }, "/discount"],
    ["an unknown field inside", { ...templateBody, validity: { days: 1, mode: "rolling", weeks: 1 } }, "/validity"],
    ["a wrong type", { ...templateBody, name: 5 }, "/name"],
    ["negative money", amountOff(-1), "/benefit"],
    ["no money", amountOff(0), "/benefit/amount"],
    ["fractional money", amountOff(0.5), "/benefit"],
    ["money as text", amountOff("5"), "/benefit"],
    ["money beyond what a number holds", amountOff(2 ** 53), "/benefit"],
    ["a currency that is none", amountOff(5, "XQZ"), "/benefit/currency"],
    [
      "a minimum in another currency",
      { ...templateBody, minimumSpend: { amount: 5, currency: "EUR" } },
      "/minimumSpend",
    ],
    ["a time zone that is none", { ...templateBody, timeZone: "Mars/Olympus" }, "/timeZone"],
    [
      "a validity that ends before it starts",
      { ...templateBody, validity: { from: "2026-04-01T00:00:00Z", until: "2026-03-01T00:00:00Z" } },
      "/validity",
    ],
    [
      "a date that does not exist",
      { ...templateBody, validity: { from: "2026-02-30T00:00:00Z", until: "2026-04-01T00:00:00Z" } },
      "/validity",
    ],
    ["a name with NUL", { ...templateBody, name: "a\0b" }, "/name"],
    ["a name with half a surrogate pair", { ...templateBody, name: "a\ud800b" }, "/name"],
    ["a name that is blank", { ...templateBody, name: "   " }, "/name"],
    ["an id with an emoji in its scope", { ...templateBody, scope: { productIds: ["🎟"] } }, "/scope"],
  ])("400 for %s", async (_what, body, pointer) => {
    const before = await world.prisma.template.count();
    const answer = await create(body);
    expectRefusal(answer, "request_invalid");
    const pointers: string[] = answer.body.errors.map((error: { pointer: string }) => error.pointer);
    expect(pointers.some((each) => each.startsWith(pointer))).toBe(true);
    expect(await world.prisma.template.count()).toBe(before);
  });

  test.each([
    ["no body", undefined],
    ["what is not JSON", "{"],
    ["an overflowing number", JSON.stringify(templateBody).replace("1000", "1e400")],
    ["a name twice", JSON.stringify(templateBody).replace("{", '{"name":"x",')],
    ["__proto__", JSON.stringify(templateBody).replace("{", '{"__proto__":{},')],
  ])("400 for %s", async (_what, text) => {
    const before = await world.prisma.template.count();
    const ask = text === undefined ? {} : { text };
    expectRefusal(await world.call("operator", "POST", "/ops/v1/templates", ask), "request_invalid");
    expect(await world.prisma.template.count()).toBe(before);
  });

  test("413 for a body beyond 1 MiB, 415 for another media type", async () => {
    const before = await world.prisma.template.count();
    const text = JSON.stringify(templateBody);
    const tooLarge = { text: text + " ".repeat(1_100_000) };
    expectRefusal(await world.call("operator", "POST", "/ops/v1/templates", tooLarge), "body_too_large");
    const headers = { "content-type": "text/plain" };
    const ask = { text, headers };
    expectRefusal(await world.call("operator", "POST", "/ops/v1/templates", ask), "media_type_unsupported");
    expect(await world.prisma.template.count()).toBe(before);
  });
});
