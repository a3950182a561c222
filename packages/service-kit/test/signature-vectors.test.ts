import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { signatureVectorsFile } from "../scripts/signature-vectors/cases.ts";
import type { Vector } from "../scripts/signature-vectors/make.ts";
import { createSignatureVerifier, type SigningKey } from "../src/index.ts";

interface VectorFile {
  nowSeconds: number;
  keys: { keyId: string; secret: string; revoked: boolean }[];
  vectors: Vector[];
}

const text = readFileSync(new URL("../../../docs/signature-test-vectors.json", import.meta.url), "utf8");
const file = JSON.parse(text) as VectorFile;
const keys = new Map<string, SigningKey>(
  file.keys.map(({ keyId, secret, revoked }) => [
    keyId,
    { callerId: "shop", secret: Buffer.from(secret, "base64"), revoked },
  ]),
);
const secretOf = (keyId: string) => file.keys.find((key) => key.keyId === keyId)?.secret as string;
const verifier = createSignatureVerifier({
  findKey: (keyId) => keys.get(keyId),
  nowMs: () => file.nowSeconds * 1000,
});
const signedAsIs = file.vectors.filter(({ verdict, keyId }) => verdict !== "signature_invalid" && keys.has(keyId));

test("the published file is what the script writes", () => {
  expect(text).toBe(signatureVectorsFile());
});

test("there are accepted vectors and one at least for every refusal", () => {
  expect(new Set(file.vectors.map(({ verdict }) => verdict))).toEqual(
    new Set(["accepted", "signature_missing", "signature_invalid", "signature_expired", "key_unknown", "key_revoked"]),
  );
});

test.each(file.vectors)("the verifier's verdict on $name is $verdict", ({ request, verdict }) => {
  const { method, target, headers, body } = request;
  const rawBody = body === null ? null : Buffer.from(body);
  const result = verifier.verify({ method, url: target, headers, rawBody });
  expect(result.ok ? "accepted" : result.code).toBe(verdict);
});

test.each(signedAsIs)("HMAC-SHA256 by Web Crypto over the base of $name is the signature", async (vector) => {
  const raw = Buffer.from(secretOf(vector.keyId), "base64");
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(vector.signatureBase));
  expect(`sig1=:${Buffer.from(mac).toString("base64")}:`).toBe(vector.signature);
});
