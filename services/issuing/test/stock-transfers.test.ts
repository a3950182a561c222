import { setImmediate as nextTurn } from "node:timers/promises";
import { eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import type { Owner } from "../src/owner/owner.ts";
import type { OwnerParts } from "./support/owner-parts.ts";
import {
  appenderWith,
  countOf,
  crowdAt,
  publishForOwner,
  startOwner,
  type Watched,
  watch,
} from "./support/start-owner.ts";

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

/** A partition serves before each of its shards does: an opening that is still under way would take no notice of another epoch. */
function isWhole(owner: Owner): boolean {
  const serving = [...owner.serving()];
  const shards = serving.flatMap((partition) => [...partition.shards.values()]);
  return serving.length === owner.partitionIds().length && shards.every(({ standing }) => standing === "serving");
}

test.each([4, 1])(
  "%i debited for a shard that nobody claims from is fetched there, and sold elsewhere",
  async (amount) => {
    const { batch, batches, parts } = await publishForOwner(closers, 3, total);
    const owner = startOwner(parts, parts.appender, batches, watch());
    closers.push(() => owner.close());
    // As if the owner of shard 2 had ended between the debit and its credit.
    const debit = { op: "debit" as const, batch, shard: 1, request: { target: 2, amount, credited: 0 } };
    await eventually(async () => {
      const answer = await owner.submit(debit);
      return answer.kind === "done" && "amount" in answer.outcome && answer.outcome.amount === amount;
    });
    const claims = crowdAt(owner, batch, 0);
    await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
    expect(await issuedOf(parts, batch, 3)).toBe(total);
  },
);

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
      await eventually(async () => isWhole(owner));
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

/** An owner of two shards, of which the first has issued all that it had, and the second nothing; `hold` keeps credits. */
async function firstIsEmpty(own: Partial<Watched> = {}, hold: () => unknown = () => undefined) {
  const { batch, batches, parts, prefix } = await publishForOwner(closers, 2, total);
  const watched = watch(own);
  const append: typeof parts.appender.append = async (load, timeoutMs) => {
    if (load.some(({ entries }) => entries.some(({ kind }) => kind === "credit"))) await hold();
    return parts.appender.append(load, timeoutMs);
  };
  const owner = startOwner(parts, appenderWith(parts, { append }), batches, watched);
  closers.push(() => owner.close());
  const claims = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claims(1), "issued") === 1);
  expect(countOf(await claims(total / 2 - 1), "issued")).toBe(total / 2 - 1);
  return { batch, parts, header: `${prefix}{${batch}.0}:h`, watched, owner, claims };
}

test("a shard that looks for stock behind its credit tells of that only once it is durable", async () => {
  const gate = Promise.withResolvers<void>();
  const emptied = Promise.withResolvers<void>();
  const seen = { held: false, looks: 0, isFetching: false };
  const at = await firstIsEmpty(
    {
      // While shard 0 asks for stock, it is told to fetch what is on its way to it ...
      beforeDebit: async () => {
        if (seen.isFetching) return;
        const { owner, batch } = at;
        void owner.submit({
          op: "debit",
          batch,
          shard: 0,
          request: { target: 1, amount: 1, credited: 0, fetch: true },
        });
        await eventually(() => seen.isFetching);
      },
      // ... and comes to that when its credit has had its turn.
      afterDebit: () => setImmediate(() => emptied.resolve()),
    },
    () => {
      seen.held = true;
      return gate.promise;
    },
  );
  closers.push(async () => gate.resolve());
  const { calls } = at.parts;
  const [debit, readCredits] = [calls.debit.bind(calls), calls.readCredits.bind(calls)];
  calls.debit = async (address, ...given) => {
    const found = await debit(address, ...given);
    seen.isFetching ||= address.shard === 0;
    if (address.shard === 0) await emptied.promise;
    return found;
  };
  calls.readCredits = async (address) => {
    const found = await readCredits(address);
    seen.looks += 1;
    return found;
  };
  const waiting = at.claims(1);
  await eventually(() => seen.held && seen.looks === 2);
  // Whatever it would ask for at once has been asked for when Redis has answered all that came before.
  await at.parts.redis.ping();
  await nextTurn();
  const told = at.watched.asked.map((it) => (it.op === "debit" ? it.request.credited : null));
  expect(told).toEqual([0]);
  gate.resolve();
  expect(countOf(await waiting, "issued")).toBe(1);
  await eventually(async () => countOf(await at.claims(5), "stock_exhausted") > 0);
  expect(await issuedOf(at.parts, at.batch, 2)).toBe(total);
});

test("a credit that another owner has written is not told of", async () => {
  const { batch, parts, header, watched, claims } = await firstIsEmpty();
  const epoch = (await parts.redis.hget(header, "e")) ?? "";
  const readCredits = parts.calls.readCredits.bind(parts.calls);
  parts.calls.readCredits = async (address) => {
    parts.calls.readCredits = readCredits;
    void parts.redis.hset(header, { e: "-7", C1: "1" });
    const found = await readCredits(address);
    await parts.redis.multi().hset(header, "e", epoch).hdel(header, "C1").exec();
    return found;
  };
  expect(countOf(await claims(1), "stock_in_transfer")).toBe(1);
  expect(watched.asked).toEqual([]);
  await eventually(async () => countOf(await claims(5), "stock_exhausted") > 0);
  expect(await issuedOf(parts, batch, 2)).toBe(total);
});
