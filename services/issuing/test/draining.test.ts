import { partitionOf } from "@coupon/domain";
import { LogUnavailable, type PartitionAppend } from "@coupon/events";
import { eventually } from "@coupon/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { appenderWith, countOf, crowdAt, publishForOwner, startOwner, watch } from "./support/start-owner.ts";
import { PARTITIONS } from "./support/world.ts";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("an entry that is not sent while its partition is given up is not answered, nor is one behind it sent", async () => {
  const { batch, batches, parts } = await publishForOwner(closers, 1, 100);
  const sent: PartitionAppend[][] = [];
  let armed = false;
  let fail = (): void => {};
  const append = async (load: PartitionAppend[], timeoutMs: number) => {
    if (!armed) return parts.appender.append(load, timeoutMs);
    sent.push(load);
    if (sent.length > 1) return parts.appender.append(load, timeoutMs);
    await new Promise<void>((resolve) => {
      fail = resolve;
    });
    throw new LogUnavailable("the connection was reset before anything was written");
  };
  const watched = watch();
  const owner = startOwner(parts, appenderWith(parts, { append }), batches, watched);
  closers.push(() => owner.close());
  const claim = crowdAt(owner, batch, 0);
  await eventually(async () => countOf(await claim(1), "issued") === 1);

  armed = true;
  const before = watched.decided;
  const first = claim(3);
  await eventually(() => sent.length === 1);
  const second = claim(3);
  await eventually(() => watched.decided === before + 6);
  const givenUp = owner.giveUp(partitionOf(batch, 0, PARTITIONS), 5_000);
  fail();
  await givenUp;

  const answers = [...(await first), ...(await second)];
  expect(answers.map(({ kind }) => kind)).toEqual(Array.from({ length: 6 }, () => "not_owner"));
  expect(sent).toHaveLength(1);

  armed = false;
  const next = startOwner(parts, parts.appender, batches, watch());
  closers.push(() => next.close());
  // The same users with the same keys: whoever had it decided before has it on record.
  await eventually(async () => {
    const all = await crowdAt(next, batch, 0)(101);
    return countOf(all, "issued") + countOf(all, "replayed") === 100 && countOf(all, "stock_exhausted") === 1;
  });
});

describe("a partition that is given up while it is being opened gets no marker, which would fence its next owner", () => {
  /** Another partition than the batch's, which opens only when it is taken again. */
  async function opened() {
    const { batch, batches, parts } = await publishForOwner(closers, 1, 100);
    const id = (partitionOf(batch, 0, PARTITIONS) + 1) % PARTITIONS;
    const hold = { asked: Promise.withResolvers<void>(), answer: Promise.withResolvers<void>(), armed: false };
    const sent = { begun: Promise.withResolvers<void>(), end: Promise.withResolvers<void>(), armed: false };
    const append = async (load: PartitionAppend[], timeoutMs: number) => {
      if (sent.armed) {
        sent.armed = false;
        sent.begun.resolve();
        await sent.end.promise;
      }
      return parts.appender.append(load, timeoutMs);
    };
    const holdsLease = async () => {
      if (hold.armed) {
        hold.asked.resolve();
        await hold.answer.promise;
      }
      return true;
    };
    const owner = startOwner(parts, appenderWith(parts, { append }), batches, watch({ holdsLease }));
    closers.push(() => owner.close());
    const claim = crowdAt(owner, batch, 0);
    await eventually(async () => countOf(await claim(1), "issued") === 1 && [...owner.serving()].length === PARTITIONS);
    await owner.giveUp(id, 0);
    return { owner, parts, id, claim, hold, sent, end: await parts.reader.end(id) };
  }

  test("while its lease is asked for", async () => {
    const { owner, parts, id, claim, hold, end } = await opened();
    hold.armed = true;
    owner.take(id);
    await hold.asked.promise;
    await owner.giveUp(id, 0);
    hold.answer.resolve();
    // A marker would have gone out before these.
    for (let n = 0; n < 3; n += 1) expect(countOf(await claim(1), "issued")).toBe(1);
    expect(await parts.reader.end(id)).toBe(end);
  });

  test("while its marker waits for a send", async () => {
    const { owner, parts, id, claim, hold, sent, end } = await opened();
    sent.armed = true;
    const under = claim(1);
    await sent.begun.promise;
    hold.armed = true;
    owner.take(id);
    await hold.asked.promise;
    hold.answer.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    await owner.giveUp(id, 0);
    sent.end.resolve();
    expect(countOf(await under, "issued")).toBe(1);
    for (let n = 0; n < 3; n += 1) expect(countOf(await claim(1), "issued")).toBe(1);
    expect(await parts.reader.end(id)).toBe(end);
  });
});
