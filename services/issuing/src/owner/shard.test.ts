import { describe, expect, it } from "vitest";
import type { Operation } from "./operation.ts";
import { Pending } from "./pending.ts";
import { Shard } from "./shard.ts";

const operation = { op: "release", batch: 7, shard: 0, request: {} } as Operation;

/** A shard with an entry of so many operations in Redis that is not durable yet. */
function shardAfter(operations: number): { shard: Shard; answered: () => number } {
  const shard = new Shard({ batch: 7, shard: 0 }, { number: 4, hash: "", durableOffset: 40, rulesVersion: 1 });
  let answers = 0;
  const pendings = Array.from({ length: operations }, () => new Pending(operation, 0, { count: 0 }, () => answers++));
  for (const pending of pendings) shard.enqueue(pending);
  const taken = shard.take((_, queue) => queue.length);
  shard.number = 5;
  const outcome = { kind: "refused", code: "hold_ended" } as const;
  shard.answerWhenDurable(
    5,
    taken?.pendings ?? [],
    pendings.map(() => ({ kind: "done", outcome, atMs: 1 })),
    3,
  );
  return { shard, answered: () => answers };
}

describe("a shard whose last entry is not durable", () => {
  it("gathers under load, until the entry is", () => {
    const { shard } = shardAfter(32);
    expect(shard.gathers).toBe(true);
    shard.madeDurable(5, 41);
    expect(shard.gathers).toBe(false);
  });

  it("does not where little is asked of it, or where it has another job to do", () => {
    expect(shardAfter(31).shard.gathers).toBe(false);
    const { shard } = shardAfter(32);
    shard.jobs.push({ run: async () => {} });
    expect(shard.gathers).toBe(false);
  });

  it("answers when it is told that the entry became durable, not when that is taken note of", () => {
    const { shard, answered } = shardAfter(2);
    shard.madeDurable(5, 41);
    expect(answered()).toBe(0);
    expect(shard.expectation(9)).toMatchObject({ durable: 5, durableOffset: 41 });
    shard.becameDurable(5, 41, 3);
    expect(answered()).toBe(2);
  });

  it("never takes back what is durable", () => {
    const { shard } = shardAfter(1);
    shard.madeDurable(5, 41);
    shard.becameDurable(4, 40, 3);
    expect(shard.expectation(9)).toMatchObject({ durable: 5, durableOffset: 41 });
  });
});
