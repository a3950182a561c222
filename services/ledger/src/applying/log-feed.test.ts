import type { EntryConsumer } from "@coupon/events";
import { createLogger } from "@coupon/service-kit";
import { eventually } from "@coupon/testkit";
import { expect, test } from "vitest";
import type { Applier } from "./applier.ts";
import { LogFeed } from "./log-feed.ts";

/** Consumers whose start fails where it is said to, after a while. */
function consumers(startFails: readonly boolean[]) {
  const made: { started: boolean; stopped: boolean }[] = [];
  const create = (): EntryConsumer => {
    const one = { started: false, stopped: false };
    const fails = startFails[made.push(one) - 1] ?? false;
    return {
      async start() {
        await new Promise((resolve) => setImmediate(resolve));
        if (fails) throw new Error("nothing to read within 30 s");
        one.started = true;
      },
      async stop() {
        one.stopped = true;
      },
      lag: () => new Map(one.started && !one.stopped ? [[0, { position: 0, end: 0 }]] : []),
    };
  };
  return { made, create };
}

function feedOf(createConsumer: () => EntryConsumer): LogFeed {
  return new LogFeed({
    config: { brokers: [], topicPrefix: "t.", partitions: 1, clientId: "test" },
    ...{ groupId: "ledger", sessionTimeoutMs: 1_000, applier: {} as Applier },
    logger: createLogger({ name: "test", level: "silent" }),
    createConsumer,
  });
}

test("reading the log anew goes on until it works, however long the log is away", async () => {
  const { made, create } = consumers([false, true, true, true]);
  const feed = feedOf(create);
  await feed.start();
  feed.reread();
  await eventually(() => feed.assigned === 1 && made.length === 5);
  expect(made.map(({ started, stopped }) => [started, stopped])).toEqual([
    [true, true],
    [false, true],
    [false, true],
    [false, true],
    [true, false],
  ]);
  await feed.stop();
  expect(made.at(-1)?.stopped).toBe(true);
});

test("a feed that is stopped while it can't be read ends, and makes no further attempt", async () => {
  const { made, create } = consumers([false, ...new Array(1_000).fill(true)]);
  const feed = feedOf(create);
  await feed.start();
  feed.reread();
  await eventually(() => made.length > 3);
  await feed.stop();
  const attempts = made.length;
  await new Promise((resolve) => setImmediate(resolve));
  expect(made.length).toBe(attempts);
});
