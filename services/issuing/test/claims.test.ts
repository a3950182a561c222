import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { World } from "./support/world.ts";

const world = new World();
const { caller, otherCaller } = world;

beforeAll(async () => {
  await world.start();
  await world.issuing();
});
afterAll(() => world.close());

/** A batch that is in force: the first claim of a user who does not count says so. */
async function batch(change: Parameters<World["publishBatch"]>[0] = {}): Promise<string> {
  const { batchId } = await world.publishBatch(change);
  await eventually(async () => {
    const { body } = await caller.claim(batchId, "nobody", "probe-key");
    return body.code !== "batch_not_found" && body.code !== "shard_recovering";
  });
  return batchId;
}

describe("claims", () => {
  test("a claim issues a coupon, and the same key gives the same one again", async () => {
    const batchId = await batch({ stock: { total: 10, perUser: 1 } });
    const first = await caller.claim(batchId, "user-1", "key-1");
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ batchId, userId: "user-1", state: "effective", sandbox: false });
    expect(first.body.couponId).toMatch(/^[0-9A-HJKMNP-TV-Z]{32}$/);
    expect(first.headers.get("log-position")).toMatch(/\S/);
    const again = await caller.claim(batchId, "user-1", "key-1");
    expect(again.status).toBe(200);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.body).toEqual(first.body);
  });

  test("another key of the same user meets the user's limit, spelled out", async () => {
    const batchId = await batch({ stock: { total: 10, perUser: 1 } });
    await caller.claim(batchId, "user-1", "key-1");
    const second = await caller.claim(batchId, "user-1", "key-2");
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({
      code: "user_limit_reached",
      retryable: false,
      outcome: "none",
      limit: { name: "stock.perUser", max: 1, used: 1 },
    });
  });

  test("never more than the stock, whoever comes at once; a success on record still comes back", async () => {
    const batchId = await batch({ stock: { total: 51, perUser: 1 } });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => caller.claim(batchId, `user-${i}`, `key-${i}`)),
    );
    const issued = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ body }) => body.code === "stock_exhausted");
    expect(issued.length).toBe(50); // and the probe's
    expect(refused.length).toBe(150);
    expect(new Set(issued.map(({ body }) => body.couponId)).size).toBe(50);
    const winner = issued[0]?.body as { userId: string; couponId: string };
    const index = winner.userId.slice(5);
    const replay = await caller.claim(batchId, winner.userId, `key-${index}`);
    expect(replay.status).toBe(200);
    expect(replay.body).toEqual(winner);
  });

  test.each([
    ["total", "stock_exhausted", "stock.total", 1],
    ["total", "stock_exhausted", "stock.total", 3],
    ["perDay", "daily_stock_exhausted", "stock.perDay", 1],
  ] as const)(
    "a %s that was lowered below what is issued: the limit says both (%s, %s, %i shards)",
    async (which, code, name, shards) => {
      const definition = await world.publishBatch({ stock: { total: 100, perDay: 100, perUser: 1 }, shards });
      const { batchId, stock } = definition;
      let issued = 0;
      await eventually(async () => {
        const { status } = await caller.claim(batchId, `user-${issued}`, "key");
        if (status === 201) issued += 1;
        return issued === 12;
      });
      await world.publisher.publishBatch({ ...definition, version: 2, stock: { ...stock, [which]: 5 } });
      let later = 0;
      const refused = await eventually(async () => {
        later += 1;
        const answer = await caller.claim(batchId, `later-${later}`, "key");
        if (answer.status === 201) issued += 1;
        return answer.body.code === code && answer;
      });
      expect(refused.body.limit).toMatchObject({ name, scope: `batch:${batchId}`, max: 5, used: issued });
    },
  );

  test("the same key at once from many connections issues one coupon", async () => {
    const batchId = await batch({ stock: { total: 100, perUser: 5 } });
    const answers = await Promise.all(Array.from({ length: 40 }, () => caller.claim(batchId, "user-1", "same")));
    expect(answers.filter(({ status }) => status === 201).length).toBe(1);
    expect(new Set(answers.map(({ body }) => body.couponId)).size).toBe(1);
  });

  test("batches that are not open refuse by their state", async () => {
    const notStarted = await batch({ issueWindow: { from: "2039-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" } });
    const paused = await batch({ state: "paused" });
    const ended = await batch({ state: "ended" });
    const over = await batch({ issueWindow: { from: "2024-01-01T00:00:00Z", until: "2025-01-01T00:00:00Z" } });
    const dead = await batch({ state: "deactivated" });
    const codes = await Promise.all(
      [notStarted, paused, ended, over, dead].map(async (id) => (await caller.claim(id, "u", "k")).body.code),
    );
    expect(codes).toEqual(["batch_not_started", "batch_paused", "batch_ended", "batch_ended", "batch_deactivated"]);
  });

  test("a pause is in force for new claims and not for those on record", async () => {
    const definition = await world.publishBatch({ stock: { total: 10, perUser: 2 } });
    const { batchId } = definition;
    const first = await eventually(async () => {
      const answer = await caller.claim(batchId, "user-1", "key-1");
      return answer.status === 201 || answer.status === 200 ? answer : false;
    });
    await world.publisher.publishBatch({ ...definition, version: 2, state: "paused" });
    let tries = 0;
    await eventually(async () => {
      tries += 1;
      return (await caller.claim(batchId, `later-${tries}`, "key")).body.code === "batch_paused";
    });
    const replay = await caller.claim(batchId, "user-1", "key-1");
    expect(replay.status).toBe(200);
    expect(replay.body).toEqual(first.body);
  });

  test("another caller's batch looks like none, to the byte", async () => {
    const batchId = await batch();
    const theirs = await otherCaller.claim(batchId, "u", "k");
    const nobodys = await otherCaller.claim("no-such-batch", "u", "k");
    expect(theirs.status).toBe(404);
    expect(theirs.body).toEqual(nobodys.body);
  });

  test("one key, one user, two callers: two claims", async () => {
    const may = ["issue" as const];
    const callers = [
      { callerId: "shop", may },
      { callerId: "rival", may },
    ];
    const batchId = await batch({ stock: { total: 10, perUser: 2 }, callers });
    const mine = await caller.claim(batchId, "user-1", "same");
    const theirs = await otherCaller.claim(batchId, "user-1", "same");
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(theirs.body.couponId).not.toBe(mine.body.couponId);
  });

  test("a caller without the entitlement is refused, but gets back what is on record", async () => {
    const definition = await world.publishBatch();
    const { batchId } = definition;
    await eventually(async () => (await caller.claim(batchId, "user-1", "key-1")).status < 300);
    await world.publisher.publishBatch({ ...definition, version: 2, callers: [{ callerId: "shop", may: ["read"] }] });
    let tries = 0;
    await eventually(async () => {
      tries += 1;
      return (await caller.claim(batchId, `later-${tries}`, "k")).body.code === "operation_not_permitted";
    });
    expect((await caller.claim(batchId, "user-1", "key-1")).status).toBe(200);
  });

  test("grants give one outcome each, in order, and replays", async () => {
    const batchId = await batch({ stock: { total: 3, perUser: 1 } });
    const grants = ["a", "b", "c", "a"].map((userId, i) => ({ idempotencyKey: `g-${i}`, userId }));
    const first = await caller.call("POST", `/v1/batches/${batchId}/grants`, { grants });
    expect(first.status).toBe(200);
    const outcomes = first.body.outcomes as { outcome: string; idempotencyKey: string; problem?: { code: string } }[];
    expect(outcomes.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["g-0", "g-1", "g-2", "g-3"]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["issued", "issued", "refused", "refused"]);
    expect(outcomes[2]?.problem?.code).toBe("stock_exhausted");
    expect(outcomes[3]?.problem?.code).toBe("user_limit_reached");
    const again = await caller.call("POST", `/v1/batches/${batchId}/grants`, { grants: grants.slice(0, 1) });
    expect(again.body.outcomes).toMatchObject([{ outcome: "replayed" }]);
  });

  test("a batch over several shards sells exactly its stock", async () => {
    const batchId = await batch({ stock: { total: 41, perUser: 1 }, shards: 3 });
    const users = Array.from({ length: 120 }, (_, i) => `user-${i}`);
    const outcomes = new Map<string, string>();
    await eventually(
      async () => {
        const open = users.filter((user) => !/issued|stock_exhausted/.test(outcomes.get(user) ?? ""));
        const answers = await Promise.all(open.map((user) => caller.claim(batchId, user, user)));
        answers.forEach(({ status, body }, i) => {
          outcomes.set(open[i] as string, status === 201 ? "issued" : String(body.code));
        });
        return open.length === 0;
      },
      { timeoutMs: 30_000 },
    );
    const counts = Map.groupBy(outcomes.values(), (outcome) => outcome);
    expect(counts.get("issued")?.length).toBe(40); // and the probe's
    expect(counts.get("stock_exhausted")?.length).toBe(80);
  });
});
