import { checkOpenApi } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Running, World } from "./support/world.ts";

const world = new World();
let issuing: Running;

beforeAll(async () => {
  await world.start();
  issuing = await world.issuing();
});
afterAll(() => world.close());

interface Description {
  paths: Record<string, object>;
  components: { securitySchemes: object };
}

async function describe(baseUrl: string): Promise<Description> {
  return (await (await fetch(`${baseUrl}/openapi.json`)).json()) as Description;
}

test("the callers' API is described in valid OpenAPI 3.1, every operation under a signature", async () => {
  const document = await describe(issuing.baseUrl);
  expect(await checkOpenApi(document)).toEqual([]);
  expect(Object.keys(document.components.securitySchemes)).toEqual(["messageSignature"]);
  expect(Object.keys(document.paths).toSorted()).toEqual([
    ...["/v1/batches/{batchId}", "/v1/batches/{batchId}/claims", "/v1/batches/{batchId}/grants"],
    "/v1/coupons/{couponId}",
    ...["/v1/orders/{orderId}", "/v1/orders/{orderId}/lock", "/v1/orders/{orderId}/redeem"],
    ...["/v1/orders/{orderId}/release", "/v1/orders/{orderId}/reversals", "/v1/users/{userId}/coupons"],
  ]);
});

test("the internal port describes itself, and hides what it has", async () => {
  const document = await describe(issuing.internalUrl);
  expect(await checkOpenApi(document)).toEqual([]);
  expect(document.paths).toEqual({});
});
