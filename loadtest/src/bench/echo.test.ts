import { signRequest } from "@coupon/client";
import type { BatchDefinition } from "@coupon/domain";
import { expect, test } from "vitest";
import { buildEcho } from "./echo.ts";
import { claimRequests } from "./loads.ts";

const caller = { id: "shop", keyId: "live_shop", secret: Buffer.alloc(32, 7).toString("base64") };
const window = { from: "2026-01-01T00:00:00Z", until: "2027-01-01T00:00:00Z" };
const definition: BatchDefinition = {
  batchId: "batch",
  batchNumber: 1,
  version: 1,
  campaignId: "campaign",
  name: "claims",
  sandbox: false,
  state: "issuing",
  revoked: false,
  template: {
    name: "claims",
    benefit: { kind: "amount_off", amount: 100, currency: "USD" },
    validity: window,
    timeZone: "UTC",
    refundPolicy: "restore",
  },
  stock: { total: 1, perUser: 1 },
  issueWindow: window,
  callers: [],
  funding: [],
  timeZone: "UTC",
  shards: 1,
  couponKeyVersion: 1,
};
const key = { keyId: caller.keyId, callerId: caller.id, secretBase64: caller.secret };

function requestOf(secret: string) {
  const [request] = [...claimRequests({ ...caller, secret }, "batch", "run", 1)];
  if (request === undefined) throw new Error("there is no request");
  const { method, path, headers, body } = request;
  return { method: method as "POST", url: path, headers, payload: body };
}

test("the signed echo verifies the same bytes that a claim is made of, and answers a coupon", async () => {
  const echo = buildEcho({ port: 0, definition, key });
  const right = await echo.inject(requestOf(caller.secret));
  expect(right.statusCode).toBe(201);
  expect(right.json()).toMatchObject({ batchId: "batch", userId: "user-run-0", state: "effective" });
  expect(right.json().couponId).toHaveLength(32);
  const wrong = await echo.inject(requestOf(Buffer.alloc(32, 8).toString("base64")));
  expect([wrong.statusCode, wrong.json().code]).toEqual([401, "signature_invalid"]);
  await echo.close();
});

test("the bare echo answers the same without verifying, and still refuses what the schema refuses", async () => {
  const echo = buildEcho({ port: 0, definition });
  const unsigned = await echo.inject({ ...requestOf(caller.secret), headers: { "content-type": "application/json" } });
  expect(unsigned.json().code).toBe("idempotency_key_missing");
  const answer = await echo.inject(requestOf(Buffer.alloc(32, 8).toString("base64")));
  expect(answer.statusCode).toBe(201);
  await echo.close();
});

test("a feed's requests are signed as the SDK signs", () => {
  const { headers, payload, url } = requestOf(caller.secret);
  const created = Number(/created=(\d+)/.exec(headers["signature-input"] ?? "")?.[1]);
  const again = signRequest({
    method: "POST",
    path: url,
    body: payload,
    idempotencyKey: "claim-run-0",
    keyId: caller.keyId,
    secret: caller.secret,
    createdSeconds: created,
  });
  expect(headers).toMatchObject(again);
});
