import { spawn } from "node:child_process";
import { join } from "node:path";
import { createTestDatabase, type TestDatabase } from "@coupon/database/testing";
import { checkOpenApi, freePorts } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { World } from "./support/world.ts";

const world = new World();
let empty: TestDatabase;
let nowhere = 0;

/** Runs the service as a process until it ends by itself, or has said so much that it listens. */
async function run(env: Record<string, string>): Promise<{ status: number | null; stderr: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../src/main.ts")], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { status, stderr };
}

beforeAll(async () => {
  await world.start();
  await world.stopCampaigns();
  empty = await createTestDatabase({ migrated: false });
  [nowhere = 0] = await freePorts(1);
});
afterAll(async () => {
  await empty.drop();
  await world.close();
});

describe("a start that can't be ends with one sentence", () => {
  test.each([
    ["PostgreSQL is away", () => ({ DATABASE_URL: `postgres://u:hunter2@127.0.0.1:${nowhere}/x` }), "can't be reached"],
    ["the database is not migrated", () => ({ DATABASE_URL: empty.databaseUrl }), "migrate"],
    ["Kafka is away", () => ({ KAFKA_BROKERS: `127.0.0.1:${nowhere}` }), "Kafka can't be reached"],
    ["a setting is missing", () => ({ INTERNAL_TOKEN: "" }), "INTERNAL_TOKEN is missing"],
    ["a setting is wrong", () => ({ CONFIRM_TIMEOUT_MS: "6000" }), "CONFIRM_TIMEOUT_MS is not valid"],
    ["the key set is not there", () => ({ OIDC_JWKS: "/nowhere.json" }), "/nowhere.json"],
    ["the partitions are others", () => ({ PARTITIONS: "5" }), "PARTITIONS"],
  ])("where %s", async (_what, change, sentence) => {
    const { status, stderr } = await run({ ...world.env, ...change() });
    expect(status).toBe(1);
    expect(stderr).toContain(sentence);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).not.toContain("hunter2");
  });
});

describe("a service that runs", () => {
  test("describes itself, counts, and says that it is ready", async () => {
    await world.startCampaigns();
    const openapi = await world.call(null, "GET", "/openapi.json");
    expect(await checkOpenApi(openapi.body)).toEqual([]);
    expect(Object.keys(openapi.body.components.securitySchemes)).toEqual(["operatorToken"]);
    expect(Object.keys(openapi.body.paths)).toEqual(
      expect.arrayContaining([
        ...["/ops/v1/templates", "/ops/v1/campaigns/{id}", "/ops/v1/batches/{id}/stock-changes"],
        ...["submit", "approve", "reject", "start", "pause", "resume", "end", "deactivate", "stats"].map(
          (action) => `/ops/v1/batches/{id}/${action}`,
        ),
        "/ops/v1/coupons/{id}/deactivate",
      ]),
    );
    expect((await world.call(null, "GET", "/readyz")).status).toBe(200);
    expect((await world.call(null, "GET", "/metrics")).body).toContain("campaigns_confirmation_seconds");
    await world.stopCampaigns();
  });
});
