import { expect, test } from "vitest";
import type { LeaseKeeper } from "../owner/leases.ts";
import type { Answer, Operation } from "../owner/operation.ts";
import type { Owner } from "../owner/owner.ts";
import type { Forwarder } from "./forwarder.ts";
import { Router } from "./router.ts";

const claim: Extract<Operation, { op: "claim" }> = {
  op: "claim",
  batch: 7,
  shard: 0,
  request: { userId: "u", callerId: "c", key: "k", via: "c", permitted: true },
};

/** An owner that answers all it was asked when told to, in one turn, as a shard does when an entry is durable. */
function build() {
  const asked: ((answer: Answer) => void)[] = [];
  const owner = {
    has: () => true,
    ask: (_operation: Operation, _withinMs: number, settle: (answer: Answer) => void) => asked.push(settle),
  };
  const router = new Router({
    owner: owner as unknown as Owner,
    leases: {} as LeaseKeeper,
    forwarder: {} as Forwarder,
    partitions: 12,
    deadlineMs: 1_000,
    patienceMs: 100,
  });
  const answerAll = (): void => {
    for (const settle of asked) settle({ kind: "overloaded" });
  };
  return { router, answerAll };
}

test("what one answer's callback throws goes to its own failure, and the next is answered", () => {
  const { router, answerAll } = build();
  const seen: unknown[] = [];
  const broken = new Error("broken");
  router.ask<"claim">(
    claim,
    () => {
      throw broken;
    },
    (error) => seen.push(error),
  );
  router.ask<"claim">(
    claim,
    (answer) => seen.push(answer),
    () => seen.push("failed"),
  );
  answerAll();
  expect(seen).toEqual([broken, { kind: "overloaded" }]);
});
