import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  buildService,
  createTokenVerifier,
  listen,
  operatorOf,
  requireRole,
  requireToken,
  type Service,
  type TokenVerifier,
} from "../src/index.ts";

const issuer = "https://issuer.example";
const audience = "coupon-platform";
const folder = mkdtempSync(join(tmpdir(), "jwks-"));
const jwks = join(folder, "jwks.json");
const ours = await generateKeyPair("ES256", { extractable: true });
const theirs = await generateKeyPair("ES256", { extractable: true });
const keySet = JSON.stringify({ keys: [{ ...(await exportJWK(ours.publicKey)), kid: "k1", alg: "ES256" }] });
let app: Service;
let base = "";

beforeAll(async () => {
  writeFileSync(jwks, keySet);
  app = operators(await createTokenVerifier({ issuer, audience, jwks }));
  base = await listen(app, { host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

function operators(verifier: TokenVerifier): Service {
  const service = buildService({ name: "ops", version: "1", logger: pino({ level: "silent" }) });
  service.register(
    async (ops: Service) => {
      requireToken(ops, verifier);
      ops.get("/batches", async (request) => operatorOf(request));
      ops.post("/approve", { onRequest: requireRole("approver", "admin") }, async () => ({ approved: true }));
    },
    { prefix: "/ops/v1" },
  );
  return service;
}

interface Claims {
  payload?: JWTPayload;
  by?: typeof ours;
  from?: string;
  to?: string;
  expires?: string;
  kid?: string;
}

function token({ payload, by = ours, from = issuer, to = audience, expires = "1h", kid = "k1" }: Claims = {}) {
  return new SignJWT({ sub: "olga", roles: ["operator", 5], ...payload })
    .setProtectedHeader({ alg: "ES256", kid })
    .setIssuer(from)
    .setAudience(to)
    .setExpirationTime(expires)
    .sign(by.privateKey);
}

async function ask(authorization?: string, path = "/ops/v1/batches", method = "GET") {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const response = await fetch(base + path, { method, headers });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}

test("a good token tells subject and roles", async () => {
  expect(await ask(`Bearer ${await token()}`)).toMatchObject({
    status: 200,
    body: { subject: "olga", roles: ["operator"] },
  });
});

test.each<[string, () => Promise<string | undefined>]>([
  ["none", async () => undefined],
  ["another scheme", async () => "Basic b2xnYTp4"],
  ["no JWT", async () => "Bearer abc"],
  ["another key", async () => `Bearer ${await token({ by: theirs })}`],
  ["an unknown kid", async () => `Bearer ${await token({ kid: "k2" })}`],
  ["another issuer", async () => `Bearer ${await token({ from: "https://evil.example" })}`],
  ["another audience", async () => `Bearer ${await token({ to: "other" })}`],
  ["expired", async () => `Bearer ${await token({ expires: "-1m" })}`],
  ["no subject", async () => `Bearer ${await token({ payload: { sub: "" } })}`],
  ["not yet valid", async () => `Bearer ${await token({ payload: { nbf: 4_000_000_000 } })}`],
  [
    "alg none",
    async () =>
      `Bearer ${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"sub":"olga"}').toString("base64url")}.`,
  ],
  [
    "a MAC with the public key",
    async () =>
      `Bearer ${await new SignJWT({ sub: "olga" })
        .setProtectedHeader({ alg: "HS256", kid: "k1" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime("1h")
        .sign(Buffer.from(keySet))}`,
  ],
])("%s: token_invalid", async (_name, authorization) => {
  const { status, body, headers } = await ask(await authorization());
  expect([status, body.code]).toEqual([401, "token_invalid"]);
  expect(headers.get("www-authenticate")).toBe("Bearer");
});

test("a token outranks an unknown route, a role the body", async () => {
  expect((await ask(undefined, "/ops/v1/nowhere")).status).toBe(401);
  expect((await ask(`Bearer ${await token()}`, "/ops/v1/nowhere")).body.code).toBe("route_not_found");
  const missing = await ask(`Bearer ${await token()}`, "/ops/v1/approve", "POST");
  expect([missing.status, missing.body.code]).toEqual([403, "role_missing"]);
  const approver = `Bearer ${await token({ payload: { roles: ["approver"] } })}`;
  expect((await ask(approver, "/ops/v1/approve", "POST")).status).toBe(200);
});

test("a remote key set is used, and one that can't be had is not the token's fault", async () => {
  let [status, served] = [200, keySet];
  const server = createServer((_request, response) => response.writeHead(status).end(served));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}/jwks`;
  const authorization = `Bearer ${await token()}`;
  const answered = async () => {
    const service = operators(await createTokenVerifier({ issuer, audience, jwks: url }));
    const { statusCode, headers, body } = await service.inject({ url: "/ops/v1/batches", headers: { authorization } });
    await service.close();
    return [statusCode, headers["retry-after"], JSON.parse(body).code];
  };
  expect(await answered()).toEqual([200, undefined, undefined]);
  const unavailable = [503, "1", "identity_provider_unavailable"];
  status = 500;
  expect(await answered()).toEqual(unavailable);
  [status, served] = [200, "no key set"];
  expect(await answered()).toEqual(unavailable);
  await new Promise((resolve) => server.close(resolve));
  expect(await answered()).toEqual(unavailable);
});

test("a key set file that can't be read is told in one sentence", async () => {
  await expect(createTokenVerifier({ issuer, audience, jwks: "/nowhere/jwks.json" })).rejects.toThrow(
    /set OIDC_JWKS to/,
  );
});
