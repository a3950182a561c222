import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const list = (query = "") => world.call("viewer", "GET", `/ops/v1/templates${query}`);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/templates", () => {
  test("200: pages that hold every template once, newest first, and end", async () => {
    expect((await list()).body).toEqual({ items: [], nextCursor: null });
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift((await desk.template({ name: `T${i}` })).body.templateId);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(`?limit=2${cursor === null ? "" : `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map((item: { templateId: string }) => item.templateId));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(new Set(seen)).toEqual(new Set(ids));
    expect(seen).toEqual([...seen].sort().reverse());
  });

  test.each(["?limit=0", "?limit=201", "?limit=x"])("400 for %s", async (query) => {
    expectRefusal(await list(query), "request_invalid");
  });

  test.each(["?cursor=!", "?cursor=%00", "?cursor=_w"])("400 cursor_invalid for %s", async (query) => {
    expectRefusal(await list(query), "cursor_invalid");
  });

  test("401, 403", async () => {
    expectRefusal(await world.call(null, "GET", "/ops/v1/templates"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/templates"), "role_missing");
  });
});
