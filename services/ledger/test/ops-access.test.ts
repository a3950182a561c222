import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "./support/world.ts";

let world: World;

beforeAll(async () => {
  world = await World.create();
  await world.start();
});

afterAll(() => world.close());

describe("the operators' API of the ledger", () => {
  it("demands a token of the issuer, also where there is no such route", async () => {
    const nobody = await world.ops("/nowhere", null);
    expect([nobody.status, nobody.body.code]).toEqual([401, "token_invalid"]);
    expect(nobody.headers.get("www-authenticate")).toBe("Bearer");
    const internal = await world.get("/ops/v1/nowhere");
    expect([internal.status, internal.body.code]).toEqual([401, "token_invalid"]);
    const finance = await world.ops("/nowhere");
    expect([finance.status, finance.body.code]).toEqual([404, "route_not_found"]);
  });

  it("gives operators nothing of what is for our own services", async () => {
    const authorization = `Bearer ${await world.issuer.token("olga", ["operator"])}`;
    const answer = await world.get("/internal/v1/batches/1/stats", { authorization });
    expect([answer.status, answer.body.code]).toEqual([401, "token_invalid"]);
  });
});
