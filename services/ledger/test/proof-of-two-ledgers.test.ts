import { eventually } from "@coupon/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunningLedger } from "../src/compose.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

/** A batch whose three shards are in partitions that two ledgers share, as one of them moves stock to another. */
let world: World;
let ledgers: RunningLedger[];
let stories: ShardStory[];

beforeEach(async () => {
  world = await World.create();
  await world.publish(batchOf(7, { shards: 3, stock: { total: 300, perUser: 5 } }));
  stories = [0, 1, 2].map((shard) => new ShardStory(7, shard));
  for (const [partition, story] of stories.entries()) {
    await world.append(partition, [story.rules({ allotment: 100 }), story.issue(["anna", "ben"])]);
  }
  const proving = { PROOF_EVERY_MS: "50" };
  ledgers = [await world.start(proving), await world.start(proving)];
  await world.applied();
  await eventually(async () => (await proofs()).every(({ shards }) => shards > 0), { timeoutMs: 30_000 });
});
afterEach(() => world.close());

interface Proof {
  shards: number;
  drifting: { batchNumber: number; shard: number | null; drifts: string[] }[];
  stock: { given: number; issued: number; left: number; inTransfer: number };
}

async function proofs(): Promise<Proof[]> {
  return Promise.all(
    ledgers.map(async (ledger) => (await world.ops("/reconciliations", ["finance"], ledger)).body.proof as Proof),
  );
}

async function append(shard: number, entry: Parameters<ShardStory["entry"]>[0]): Promise<void> {
  await world.append(shard, [(stories[shard] as ShardStory).entry(entry)]);
  await world.applied();
}

/** Waits until both together say that of the stock, and one of them all of it. */
async function stockBecomes(stock: Proof["stock"]): Promise<void> {
  await eventually(
    async () => {
      const said = (await proofs()).map((proof) => proof.stock);
      expect(said).toContainEqual(stock);
      expect(said).toContainEqual({ given: 0, issued: 0, left: 0, inTransfer: 0 });
      return true;
    },
    { timeoutMs: 5_000 },
  );
}

async function driftBecomes(drift: string): Promise<void> {
  await eventually(
    async () => {
      const drifting = (await proofs()).flatMap((proof) => proof.drifting);
      expect(drifting).toContainEqual({ batchNumber: 7, shard: null, drifts: [drift] });
      return true;
    },
    { timeoutMs: 20_000 },
  );
}

it("a batch's stock is proven over all its shards, by one of them", async () => {
  await stockBecomes({ given: 300, issued: 6, left: 294, inTransfer: 0 });
  await append(0, { kind: "debit", target: 2, amount: 10, transfer: 1 });
  await stockBecomes({ given: 300, issued: 6, left: 284, inTransfer: 10 });
  await append(2, { kind: "credit", source: 0, amount: 10, transfer: 1 });
  await stockBecomes({ given: 300, issued: 6, left: 294, inTransfer: 0 });
  expect((await proofs()).flatMap(({ drifting }) => drifting)).toEqual([]);
  await world.pool.query("DELETE FROM ledger.transfer WHERE kind = 'credit'");
  await driftBecomes("what the shards debited and credited differs by -10 from the transfers on record");
});

it("finds that shards were given another stock than the batch has", async () => {
  await append(1, {
    ...{ kind: "rules" as const },
    rules: {
      ...{ version: 1, state: "issuing" as const, revoked: false, fromMs: 0, untilMs: 4_000_000_000_000 },
      ...{ allotment: 99, perDay: null, perUser: 5, perUserPerDay: null, buckets: 16 },
    },
  });
  await driftBecomes("the shards were given 299 of a stock of 300");
});
