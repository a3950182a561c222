import { eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import type { Answer } from "../src/owner/operation.ts";
import type { OwnerParts } from "./support/owner-parts.ts";
import { appenderWith, countOf, crowdAt, publishForOwner, startOwner, watch } from "./support/start-owner.ts";

/** Stock that is on its way between shards when something happens is sold in the end, to whoever asks. */
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const total = 30;

async function issuedOf({ calls }: OwnerParts, batch: number, shards: number): Promise<number> {
  const headers = await calls.readHeaders(Array.from({ length: shards }, (_, shard) => ({ batch, shard })));
  return headers.reduce((sum, header) => sum + (header?.nextSerial ?? 0), 0);
}

test("stock debited for a shard that nobody claims from is fetched there, and sold elsewhere", async () => {
  const { batch, batches, parts } = await publishForOwner(closers, 3, total);
  const owner = startOwner(parts, parts.appender, batches, watch());
  closers.push(() => owner.close());
  // As if the owner of shard 2 had ended between the debit and its credit.
  const debit = { op: "debit" as const, batch, shard: 1, request: { target: 2, amount: 4, credited: 0 } };
  await eventually(async () => {
    const answer = await owner.submit(debit);
    return answer.kind === "done" && "amount" in answer.outcome && answer.outcome.amount === 4;
  });
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
  expect(await issuedOf(parts, batch, 3)).toBe(total);
});

test("a partition opened again, twice, while its shard waits for stock: its claims don't wait for ever", async () => {
  const { batch, batches, parts, prefix } = await publishForOwner(closers, 2, total);
  let opening: PromiseWithResolvers<void> | undefined;
  const logBase: typeof parts.recovery.logBase = async (...given) => {
    await opening?.promise;
    return parts.recovery.logBase(...given);
  };
  // Finds another epoch, and is opened again; what the opening itself sees is as before.
  const reopen = async () => {
    const before = watched.reopened;
    opening = Promise.withResolvers();
    const header = `${prefix}{${batch}.0}:h`;
    const epoch = await parts.redis.hget(header, "e");
    await parts.redis.hset(header, "e", "-7");
    void claims(1);
    await eventually(async () => watched.reopened > before);
    await parts.redis.hset(header, "e", epoch ?? "");
  };
  let isFirst = true;
  const watched = watch({
    beforeDebit: async () => {
      if (!isFirst) return;
      isFirst = false;
      await reopen();
      opening?.resolve();
      await eventually(async () => [...owner.serving()].length === owner.partitionIds().length);
      await reopen();
    },
    // The credit comes while the partition is opening for the second time.
    afterDebit: () => setImmediate(() => opening?.resolve()),
  });
  const owner = startOwner({ ...parts, recovery: { ...parts.recovery, logBase } }, parts.appender, batches, watched);
  closers.push(() => owner.close());
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
  expect(watched.reopened).toBeGreaterThanOrEqual(2);
  expect(await issuedOf(parts, batch, 2)).toBe(total);
});

test("a credit that comes while a shard looks for stock is not told of before it is durable", async () => {
  const { batch, batches, parts } = await publishForOwner(closers, 2, total);
  const gate = Promise.withResolvers<void>();
  let held = 0;
  const append: typeof parts.appender.append = async (load, timeoutMs) => {
    if (load.some(({ entries }) => entries.some(({ kind }) => kind === "credit"))) {
      held += 1;
      await gate.promise;
    }
    return parts.appender.append(load, timeoutMs);
  };
  const watched = watch();
  const debits = () =>
    watched.asked.flatMap((it) => (it.op === "debit" && it.shard === 1 ? [it.request.credited] : []));
  const debit = (shard: number, request: { target: number; amount: number; fetch?: boolean }) =>
    owner.submit({ op: "debit", batch, shard, request: { ...request, credited: 0 } });
  let looks = 0;
  const readCredits = parts.calls.readCredits.bind(parts.calls);
  parts.calls.readCredits = async (address) => {
    looks += 1;
    if (looks === 1) {
      // Shard 0 is told to fetch what is on its way to it, just before it looks at what it has got.
      void debit(0, { target: 1, amount: 1, fetch: true });
      await eventually(() => held > 0, { timeoutMs: 300 }).catch(() => undefined);
    }
    return readCredits(address);
  };
  const owner = startOwner(parts, appenderWith(parts, { append }), batches, watched);
  closers.push(() => owner.close());
  closers.push(async () => gate.resolve());
  await eventually(async () => {
    const answer = await debit(1, { target: 0, amount: 4 });
    return answer.kind === "done" && "amount" in answer.outcome && answer.outcome.amount === 4;
  });
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(1), "issued") === 1);
  const crowd = claims(total / 2 + 2);
  await eventually(() => held > 0 && debits().length > 1);
  expect(debits()).toEqual(debits().map(() => 0));
  gate.resolve();
  await crowd;
  await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
  expect(await issuedOf(parts, batch, 2)).toBe(total);
});

test("the very last coupon, on its way to a shard that nobody claims from, is sold before the batch is called sold out", async () => {
  const { batch, batches, parts } = await publishForOwner(closers, 3, total);
  const owner = startOwner(parts, parts.appender, batches, watch());
  closers.push(() => owner.close());
  const ofShard = [0, 1, 2].map((shard) => crowdAt(owner, batch, shard));
  const sell = async (shard: number, count: number) => {
    const claims = ofShard[shard] as (count: number) => Promise<Answer[]>;
    await eventually(async () => countOf(await claims(1), "issued") === 1);
    expect(countOf(await claims(count - 1), "issued")).toBe(count - 1);
  };
  const each = total / 3;
  await sell(1, each - 1);
  const last = await owner.submit({ op: "debit", batch, shard: 1, request: { target: 2, amount: 1, credited: 0 } });
  expect(last).toMatchObject({ outcome: { amount: 1 } });
  await sell(2, each);
  await sell(0, each);
  const answers: Answer[] = [];
  await eventually(async () => {
    answers.push(...(await (ofShard[0] as (count: number) => Promise<Answer[]>)(1)));
    return countOf(answers, "issued") === 1;
  });
  expect(countOf(answers, "stock_exhausted")).toBe(0);
  expect(await issuedOf(parts, batch, 3)).toBe(total);
});

test("what another owner may have written while a shard looked for stock is not told to its neighbours", async () => {
  const { batch, batches, parts, prefix } = await publishForOwner(closers, 2, total);
  const header = `${prefix}{${batch}.0}:h`;
  let isOvertaken = false;
  const readCredits = parts.calls.readCredits.bind(parts.calls);
  parts.calls.readCredits = (address) => {
    // On the same connection, so before what is read.
    if (!isOvertaken) void parts.redis.hset(header, "e", "-7");
    isOvertaken = true;
    return readCredits(address);
  };
  const watched = watch();
  const owner = startOwner(parts, parts.appender, batches, watched);
  closers.push(() => owner.close());
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(1), "issued") === 1);
  const epoch = await parts.redis.hget(header, "e");
  expect(countOf(await claims(total / 2 + 2), "stock_in_transfer")).toBeGreaterThan(0);
  expect(isOvertaken).toBe(true);
  expect(watched.asked.filter(({ op }) => op === "debit")).toEqual([]);
  await parts.redis.hset(header, "e", epoch ?? "");
  await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
  expect(await issuedOf(parts, batch, 2)).toBe(total);
});
