import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk, templateBody } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const change = (
  method: "PUT" | "PATCH",
  id: string,
  body: unknown,
  ifMatch?: string,
  who: "operator" | "viewer" = "operator",
) => world.call(who, method, `/ops/v1/templates/${id}`, { body, ...(ifMatch === undefined ? {} : { ifMatch }) });

beforeAll(() => world.start());
afterAll(() => world.close());

describe("PUT and PATCH /ops/v1/templates/{id}", () => {
  test("200 with the next ETag: PUT replaces, PATCH changes what it names, null takes away", async () => {
    const { templateId } = (await desk.template()).body;
    const minimumSpend = { amount: 5_000, currency: "CNY" };
    const put = await change("PUT", templateId, { ...templateBody, minimumSpend }, '"1"');
    expect(put).toMatchObject({ status: 200, etag: '"2"', body: { version: 2, minimumSpend } });
    const patched = await change("PATCH", templateId, { name: "Renamed", minimumSpend: null }, '"2"');
    expect(patched).toMatchObject({ status: 200, etag: '"3"', body: { name: "Renamed" } });
    expect(patched.body).not.toHaveProperty("minimumSpend");
  });

  test("200 without a new version where nothing differs", async () => {
    const { templateId } = (await desk.template()).body;
    expect(await change("PUT", templateId, templateBody, '"1"')).toMatchObject({ status: 200, etag: '"1"' });
  });

  test("200 again for the same change by the same person, whose answer was lost", async () => {
    const { templateId } = (await desk.template()).body;
    const first = await change("PATCH", templateId, { name: "Once" }, '"1"');
    const again = await change("PATCH", templateId, { name: "Once" }, '"1"');
    expect(again).toMatchObject({ status: 200, etag: '"2"', body: first.body });
    expectRefusal(await change("PATCH", templateId, { name: "Twice" }, '"1"'), "precondition_failed");
  });

  test("412 for whoever comes second with the same ETag; 200 with *", async () => {
    const { templateId } = (await desk.template()).body;
    const path = `/ops/v1/templates/${templateId}`;
    const answers = await Promise.all([
      world.call("operator", "PATCH", path, { body: { name: "A" }, ifMatch: '"1"' }),
      world.call("second", "PATCH", path, { body: { name: "B" }, ifMatch: '"1"' }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(await change("PATCH", templateId, { name: "C" }, "*")).toMatchObject({ status: 200, etag: '"3"' });
  });

  test.each(['W/"1"', '"01"', "1", '"x"', ""])("412 for If-Match: %s", async (ifMatch) => {
    const { templateId } = (await desk.template()).body;
    expectRefusal(await change("PATCH", templateId, { name: "A" }, ifMatch), "precondition_failed");
  });

  test("428 without If-Match, 404 for an unknown one, 403 for the viewer", async () => {
    const { templateId } = (await desk.template()).body;
    expectRefusal(await change("PUT", templateId, templateBody), "precondition_required");
    expectRefusal(await change("PUT", "tpl_1", templateBody, '"1"'), "template_not_found");
    expectRefusal(await change("PUT", templateId, templateBody, '"1"', "viewer"), "role_missing");
  });

  test.each([{}, { name: "" }, { benefit: null }, { templateId: "x" }, { timeZone: "Mars/Olympus" }])(
    "400 for %j",
    async (body) => {
      const { templateId } = (await desk.template()).body;
      expectRefusal(await change("PATCH", templateId, body, '"1"'), "request_invalid");
      expect((await world.call("viewer", "GET", `/ops/v1/templates/${templateId}`)).etag).toBe('"1"');
    },
  );

  test("a batch that was submitted keeps the template that it froze", async () => {
    const batch = await desk.inReview();
    const { templateId, batchId } = batch.body;
    const benefit = { ...templateBody.benefit, amount: 9_000 };
    expect((await change("PATCH", templateId, { benefit }, '"1"')).status).toBe(200);
    const read = await world.call("viewer", "GET", `/ops/v1/batches/${batchId}`);
    expect(read.body).toMatchObject({ templateVersion: 1, template: { benefit: templateBody.benefit } });
  });
});
