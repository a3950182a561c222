import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, expect, test } from "vitest";
import { LOCAL_AUDIENCE, LOCAL_ISSUER, signOperatorToken } from "../src/index.ts";
import { jwksPath, loadSecrets } from "../src/stack/secrets.ts";

const local = mkdtempSync(join(tmpdir(), "secrets-"));
afterAll(() => rmSync(local, { recursive: true, force: true }));

test("secrets are made once, long enough, and readable by their owner alone", async () => {
  const first = await loadSecrets(local);
  expect(await loadSecrets(local)).toEqual(first);
  expect(statSync(join(local, "secrets.json")).mode & 0o777).toBe(0o600);
  const keys = [first.couponKeys["1"] ?? "", first.hashKey, first.callerSecretsKey, first.demoCallerSecret];
  expect(keys.map((key) => Buffer.from(key, "base64").length)).toEqual([32, 32, 32, 32]);
  expect(new Set(keys).size).toBe(4);
});

test("what a kill left half-written doesn't make a file readable for others", async () => {
  writeFileSync(`${jwksPath(local)}.new`, "half", { mode: 0o644 });
  await loadSecrets(local);
  expect(statSync(jwksPath(local)).mode & 0o777).toBe(0o600);
});

test("tokens carry subject and roles and verify against the published keys, which hold nothing private", async () => {
  const secrets = await loadSecrets(local);
  const jwks = JSON.parse(readFileSync(jwksPath(local), "utf8"));
  expect(jwks.keys[0].d).toBeUndefined();
  const token = await signOperatorToken(secrets, { subject: "olga", roles: ["operator", "viewer"] });
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
    issuer: LOCAL_ISSUER,
    audience: LOCAL_AUDIENCE,
  });
  expect(protectedHeader.alg).toBe("ES256");
  expect([payload.sub, payload.roles]).toEqual(["olga", ["operator", "viewer"]]);
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeGreaterThanOrEqual(86_400);
});
