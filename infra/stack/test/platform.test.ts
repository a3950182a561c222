import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type PlatformContext, platformServices, platformSteps } from "../src/index.ts";
import { loadSecrets } from "../src/stack/secrets.ts";

async function context(issuingProcesses: number): Promise<PlatformContext> {
  const local = mkdtempSync(join(tmpdir(), "platform-"));
  const secrets = await loadSecrets(local);
  rmSync(local, { recursive: true });
  const addresses = { redisUrl: "redis://r:1", kafkaBrokers: "k:2", databaseUrl: "postgres://p:3/d" };
  return { root: "/checkout", local, portBase: 9_000, issuingProcesses, addresses, secrets };
}

test("issuing processes share the public port and each have an internal one", async () => {
  const issuing = platformServices(await context(3)).filter(({ service }) => service === "issuing");
  expect(issuing.map(({ name }) => name)).toEqual(["issuing-1", "issuing-2", "issuing-3"]);
  expect(issuing.map(({ env }) => [env.PORT, env.INTERNAL_PORT])).toEqual([
    ["9000", "9010"],
    ["9000", "9011"],
    ["9000", "9012"],
  ]);
  expect(issuing.map(({ readyUrl }) => readyUrl)).toEqual(
    [9_010, 9_011, 9_012].map((port) => `http://127.0.0.1:${port}/readyz`),
  );
});

test("every service gets the parts' addresses, the keys and who signs operators' tokens", async () => {
  const platform = await context(1);
  for (const { env } of platformServices(platform)) {
    expect(env).toMatchObject({
      REDIS_URL: "redis://r:1",
      KAFKA_BROKERS: "k:2",
      DATABASE_URL: "postgres://p:3/d",
      HASH_KEY: platform.secrets.hashKey,
      INTERNAL_TOKEN: platform.secrets.internalToken,
      OIDC_JWKS: join(platform.local, "jwks.json"),
    });
    expect(JSON.parse(env.COUPON_KEYS ?? "")).toEqual(platform.secrets.couponKeys);
  }
});

test("services find each other, and steps know the parts but no keys", async () => {
  const platform = await context(1);
  const named = new Map(platformServices(platform).map((spec) => [spec.service, spec]));
  expect(named.get("issuing")?.env.LEDGER_URL).toBe(named.get("ledger")?.url);
  expect(named.get("campaigns")?.env.ISSUING_INTERNAL_URL).toBe("http://127.0.0.1:9010");
  const two = new Map(platformServices(await context(2)).map((spec) => [spec.service, spec]));
  for (const service of ["campaigns", "ledger"]) {
    expect(two.get(service)?.env.ISSUING_INTERNAL_URL).toBe("http://127.0.0.1:9010,http://127.0.0.1:9011");
  }
  for (const { env } of platformSteps(platform)) {
    expect(Object.keys(env)).toEqual(["REDIS_URL", "KAFKA_BROKERS", "DATABASE_URL"]);
  }
});
