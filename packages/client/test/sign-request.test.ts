import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { signRequest } from "../src/index.ts";

interface VectorFile {
  keys: { keyId: string; secret: string }[];
  vectors: {
    name: string;
    keyId: string;
    canonical: boolean;
    signatureInput: string;
    request: { method: string; target: string; headers: Record<string, string>; body: string | null };
  }[];
}

const file = JSON.parse(
  readFileSync(new URL("../../../docs/signature-test-vectors.json", import.meta.url), "utf8"),
) as VectorFile;
const canonical = file.vectors.filter((vector) => vector.canonical);

test("there are vectors for a signer", () => {
  expect(canonical.length).toBeGreaterThanOrEqual(9);
});

test.each(canonical)("$name is signed as published", ({ request, keyId, signatureInput }) => {
  const { method, target, headers, body } = request;
  const idempotencyKey = headers["idempotency-key"];
  const signed = signRequest({
    method,
    path: target,
    keyId,
    secret: file.keys.find((key) => key.keyId === keyId)?.secret as string,
    createdSeconds: Number(/created=(\d+)/.exec(signatureInput)?.[1]),
    ...(body === null ? {} : { body }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  });
  expect({ ...signed, ...(body === null ? {} : { "content-type": "application/json" }) }).toEqual(headers);
});

test("a secret may be given as bytes, a body as bytes, and the time is now", () => {
  const secret = Buffer.alloc(32, 1);
  const both = { method: "POST", path: "/v1/x", keyId: "live_a" };
  const now = Math.floor(Date.now() / 1000);
  const bytes = signRequest({ ...both, secret, body: Buffer.from("{}"), createdSeconds: now });
  expect(bytes).toEqual(signRequest({ ...both, secret: secret.toString("base64"), body: "{}", createdSeconds: now }));
  const input = signRequest({ ...both, secret })["signature-input"] as string;
  expect(Math.abs(Number(/created=(\d+)/.exec(input)?.[1]) - now)).toBeLessThanOrEqual(2);
});
