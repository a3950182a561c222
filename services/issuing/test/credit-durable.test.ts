import { partitionOf } from "@coupon/domain";
import type { EntryAppender } from "@coupon/events";
import { eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import { Batches } from "../src/front/batches.ts";
import type { Answer } from "../src/owner/operation.ts";
import { connectOwnerParts } from "./support/owner-parts.ts";
import { appenderWith, countOf, crowdAt, startOwner, type Watched } from "./support/start-owner.ts";
import { PARTITIONS, World } from "./support/world.ts";

/**
 * A shard that got stock asks for more only once its credit is durable (guard `credit_durable` of docs/recovery.md):
 * a source that hears of a credit makes the next transfer, and can't hand out the one before again. An owner on real
 * parts, whose appends are held where they carry the credit.
 */
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const total = 200;

test("while the credit is not durable no further debit is asked for; afterwards the rest is sold exactly", async () => {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const definition = await world.publishBatch({ shards: 2, stock: { total, perUser: 1 } });
  const batch = definition.batchNumber;
  expect(partitionOf(batch, 0, PARTITIONS)).not.toBe(partitionOf(batch, 1, PARTITIONS));
  const batches = new Batches();
  batches.put(definition);
  const parts = await connectOwnerParts(world);
  closers.push(() => parts.close());
  const gate = Promise.withResolvers<void>();
  let held = 0;
  const append: EntryAppender["append"] = async (load, timeoutMs) => {
    if (load.some(({ entries }) => entries.some(({ kind }) => kind === "credit"))) {
      held += 1;
      await gate.promise;
    }
    return parts.appender.append(load, timeoutMs);
  };
  const appender = appenderWith(parts, { append });
  let second: Promise<Answer[]> | undefined;
  const watched: Watched = {
    asked: [],
    decided: 0,
    reopened: 0,
    // A second crowd finds the shard empty before the first one's stock comes, which is then too little for both.
    async beforeDebit() {
      if (second !== undefined) return;
      const goal = watched.decided + 150;
      second = claims(150);
      await eventually(async () => watched.decided >= goal);
    },
  };
  const owner = startOwner(parts, appender, batches, watched);
  closers.push(() => owner.close());
  closers.push(async () => gate.resolve());
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(1), "issued") === 1);

  const first = claims(150);
  await eventually(async () => held > 0);
  // The shard has its credit in Redis, uses it up, and finds itself empty again; the claims give up at their deadline.
  await Promise.all([first, second]);
  const debits = () => watched.asked.filter(({ op }) => op === "debit").length;
  expect(debits()).toBe(1);
  expect(await parts.redis.hget(`${world.prefix}{${batch}.1}:h`, "D0")).toMatch(/^1 /);
  gate.resolve();
  await eventually(async () => countOf(await claims(20), "stock_exhausted") === 20);
  const headers = await parts.calls.readHeaders([
    { batch, shard: 0 },
    { batch, shard: 1 },
  ]);
  expect(headers.reduce((sum, header) => sum + (header?.nextSerial ?? 0), 0)).toBe(total);
  expect(debits()).toBeGreaterThan(1);
});
