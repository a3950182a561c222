import { eventually } from "@coupon/testkit";
import { afterEach, expect, test } from "vitest";
import { Batches } from "../src/front/batches.ts";
import { countOf, crowdAt, publishForOwner, startOwner, watch } from "./support/start-owner.ts";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

test("a stock that is older than a shard's rules doesn't exhaust it", async () => {
  const { definition, batch, batches, parts } = await publishForOwner(closers, 2, 100);
  const larger = { ...definition, version: definition.version + 1, stock: { ...definition.stock, total: 150 } };
  /** What an owner sees whose rules reached one shard before it went. */
  class HalfTold extends Batches {
    override rulesOf(address: { batch: number; shard: number }) {
      return address.shard === 0 ? super.rulesOf(address) : batches.rulesOf(address);
    }
  }
  const half = new HalfTold();
  half.put(larger);
  const first = startOwner(parts, parts.appender, half, watch());
  await eventually(async () => countOf(await crowdAt(first, batch, 1)(50), "recovering") === 0);
  await eventually(async () => {
    const answers = [...(await crowdAt(first, batch, 0)(75)), ...(await crowdAt(first, batch, 1)(50))];
    return countOf(answers, "issued") + countOf(answers, "replayed") === 125;
  });
  await first.close();

  const stale = new Batches();
  stale.put(definition);
  const watched = watch();
  const next = startOwner(parts, parts.appender, stale, watched);
  closers.push(() => next.close());
  // The 76th user of the shard, who is the last of each crowd.
  const last = async () => (await crowdAt(next, batch, 0)(76)).slice(75);
  await eventually(async () => countOf(await last(), "stock_in_transfer") === 1);
  // Nor does it look for stock again and again as long as the claim waits.
  const looked = watched.asked.length;
  expect(countOf(await last(), "stock_in_transfer")).toBe(1);
  expect(watched.asked.length - looked).toBe(1);
  stale.put(larger);
  next.batchChanged(batch);
  await eventually(async () => countOf(await last(), "issued") + countOf(await last(), "replayed") > 0);
  expect(countOf(await last(), "replayed")).toBe(1);
});
