import type { BatchDefinition } from "@coupon/domain";
import { createRulesAppliedFollower, type RulesApplied } from "@coupon/events";
import { shardOf } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./support/signed-caller.ts";
import { type Running, World } from "./support/world.ts";

const SHARDS = 3;
const world = new World();
const { caller } = world;
const reports: RulesApplied[] = [];
const follower = createRulesAppliedFollower({
  config: world.logConfig,
  onApplied: (report) => reports.push(report),
});
const processes: Running[] = [];
let users = 0;

beforeAll(async () => {
  await world.start();
  // Two, so that shards ask across processes, too.
  processes.push(await world.issuing(), await world.issuing());
  await follower.start();
});
afterAll(async () => {
  await follower.close();
  await world.close();
});

/** Users of one shard, each named once. */
function usersOf({ batchNumber }: BatchDefinition, shard: number, count: number): string[] {
  const hashKey = Buffer.from(world.env.HASH_KEY ?? "", "base64");
  const found: string[] = [];
  while (found.length < count) {
    users += 1;
    if (shardOf(hashKey, batchNumber, `user-${users}`, SHARDS) === shard) found.push(`user-${users}`);
  }
  return found;
}

async function publish(definition: BatchDefinition, version: number, total: number): Promise<BatchDefinition> {
  const next = { ...definition, version, stock: { ...definition.stock, total } };
  await world.publisher.publishBatch(next);
  return next;
}

/** What every shard says of a version, once they all have it in force. */
function inForce({ batchId }: BatchDefinition, version: number): Promise<{ shortBy: number }> {
  return eventually(() => {
    const last = new Map<number, number>();
    for (const one of reports) if (one.batchId === batchId && one.version === version) last.set(one.shard, one.shortBy);
    return last.size === SHARDS && { shortBy: [...last.values()].reduce((sum, each) => sum + each) };
  });
}

async function batchOf(total: number): Promise<BatchDefinition> {
  const definition = await world.publishBatch({ stock: { total, perUser: 1 }, shards: SHARDS });
  await inForce(definition, 1);
  return definition;
}

/** Claims once for each user, again while the answer is "not now". */
function claimAll({ batchId }: BatchDefinition, who: string[]): Promise<Answer[]> {
  return Promise.all(
    who.map((user) =>
      eventually(async () => {
        const answer = await caller.claim(batchId, user, "key");
        return answer.status !== 503 && answer;
      }),
    ),
  );
}

const issued = (answers: Answer[]): number => answers.filter(({ status }) => status === 201).length;

/** A debit whose credit never came, for its target's owner died. */
async function debitWithoutCredit({ batchNumber }: BatchDefinition, source: number, target: number, amount: number) {
  const operation = { op: "debit", batch: batchNumber, shard: source, request: { target, amount, credited: 0 } };
  const answers = processes.map(async ({ internalUrl }) => {
    const response = await fetch(`${internalUrl}/internal/v1/operations`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${world.env.INTERNAL_TOKEN}` },
      body: JSON.stringify({ operations: [[operation, 3_000]] }),
    });
    return response.text();
  });
  const owners = (await Promise.all(answers)).filter((text) => !text.includes("not_owner"));
  expect(owners).toEqual([expect.stringContaining(`"amount":${amount}`)]);
}

describe("a decrease of the stock of a batch of several shards", () => {
  test("is in force where the total allows it, however unevenly they sold, and exactly the rest is sold", async () => {
    const definition = await batchOf(30);
    expect(issued(await claimAll(definition, usersOf(definition, 0, 18)))).toBe(18);
    const decreased = await publish(definition, 2, 21);
    expect((await inForce(decreased, 2)).shortBy).toBe(0);
    const late = await claimAll(
      decreased,
      [0, 1, 2].flatMap((shard) => usersOf(decreased, shard, 5)),
    );
    expect(issued(late)).toBe(3);
    for (const { status, body } of late) if (status !== 201) expect(body.code).toBe("stock_exhausted");
  });

  test("down to the very number that is issued; one less is short by one", async () => {
    const definition = await batchOf(30);
    expect(issued(await claimAll(definition, usersOf(definition, 1, 13)))).toBe(13);
    expect((await inForce(await publish(definition, 2, 13), 2)).shortBy).toBe(0);
    expect((await inForce(await publish(definition, 3, 12), 3)).shortBy).toBe(1);
    expect((await inForce(await publish(definition, 4, 13), 4)).shortBy).toBe(0);
    const [late] = await claimAll(definition, usersOf(definition, 2, 1));
    expect(late?.body.code).toBe("stock_exhausted");
  });

  test("counts stock that was on its way between shards when its owner died", async () => {
    const definition = await batchOf(30);
    await debitWithoutCredit(definition, 1, 2, 10);
    expect(issued(await claimAll(definition, usersOf(definition, 0, 10)))).toBe(10);
    expect(issued(await claimAll(definition, usersOf(definition, 2, 8)))).toBe(8);
    const decreased = await publish(definition, 2, 18);
    expect((await inForce(decreased, 2)).shortBy).toBe(0);
    expect(issued(await claimAll(decreased, usersOf(decreased, 2, 4)))).toBe(0);
  });

  test("goes on with a newer version that comes while shards are still short", async () => {
    const definition = await batchOf(30);
    expect(issued(await claimAll(definition, usersOf(definition, 0, 18)))).toBe(18);
    const decreased = await publish(definition, 2, 18);
    await publish({ ...decreased, state: "paused" }, 3, 18);
    expect((await inForce(decreased, 3)).shortBy).toBe(0);
    const [late] = await claimAll(decreased, usersOf(decreased, 1, 1));
    expect(late?.body.code).toBe("batch_paused");
  });

  test("races with claims: what is confirmed is never below what is issued", async () => {
    for (let round = 0; round < 4; round += 1) {
      const definition = await batchOf(60);
      const crowd = [...usersOf(definition, 0, 20), ...usersOf(definition, 1, 20), ...usersOf(definition, 2, 5)];
      const claims = claimAll(definition, crowd);
      const decreased = await publish(definition, 2, 40);
      const { shortBy } = await inForce(decreased, 2);
      const early = issued(await claims);
      if (shortBy === 0) expect(early).toBeLessThanOrEqual(40);
      else expect(early).toBeGreaterThan(40);
      const all = early + issued(await claimAll(decreased, usersOf(decreased, 2, 45)));
      if (shortBy === 0) expect(all).toBe(40);
    }
  });
});
