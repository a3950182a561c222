import type { Entry } from "@coupon/domain";
import { eventually, uniqueName } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readWholeLog } from "../../src/history/read-log.ts";
import { BooksWorld } from "./world.ts";

const CLIENTS = 12;
const TOTAL = 100_000;
const OFF = 500;
/** What nobody would wait for any more; how long a pause really takes is the bench's to say. */
const CONFIRMED_WITHIN_MS = 10_000;
const world = new BooksWorld();
const crowds: { stop(): Promise<void> }[] = [];

beforeAll(() => world.start());
afterEach(async () => {
  for (const crowd of crowds.splice(0)) await crowd.stop();
});
afterAll(() => world.close());

interface Claimed {
  askedAtMs: number;
  /** `issued`, or why not. */
  outcome: string;
}

/** Claims for one user after another, and remembers what came of it. */
function crowdOn(batchId: string): { claimed: Claimed[]; stop(): Promise<void> } {
  const claimed: Claimed[] = [];
  // The SDK would wait for the pause to be over.
  const shop = world.clientThatTries(1);
  let users = 0;
  let stopped = false;
  const client = async () => {
    while (!stopped) {
      users += 1;
      const userId = `user-${users}`;
      const askedAtMs = performance.now();
      const result = await shop.claim(batchId, { userId, idempotencyKey: userId });
      const outcome = result.ok ? "issued" : (result.refusal?.code ?? "no answer");
      claimed.push({ askedAtMs, outcome });
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const crowd = {
    claimed,
    async stop() {
      stopped = true;
      await Promise.all(clients);
      await shop.close();
    },
  };
  crowds.push(crowd);
  return crowd;
}

const outcomes = (claimed: readonly Claimed[]) => [...new Set(claimed.map(({ outcome }) => outcome))];
const askedSince = (claimed: readonly Claimed[], ms: number) => claimed.filter(({ askedAtMs }) => askedAtMs >= ms);

/** Of each shard of a batch, how many coupons were issued after the entry that put this version in force. */
async function issuedAfter(batchNumber: number, version: number): Promise<Map<number, number>> {
  const issued = new Map<number, number>();
  for (const { batch, epoch, text } of await readWholeLog(world.log, uniqueName("pause"))) {
    if (batch !== batchNumber || epoch === null) continue;
    const entry = JSON.parse(text) as Entry;
    if (entry.kind === "rules" && entry.rules.version === version) issued.set(entry.shard, 0);
    const before = issued.get(entry.shard);
    if (entry.kind === "issue" && before !== undefined) issued.set(entry.shard, before + entry.items.length);
  }
  return issued;
}

test("a pause under claims is confirmed by real owners, and after that not one claim is issued", async () => {
  const batch = await world.issuingBatch(
    {
      name: "Five off",
      benefit: { kind: "amount_off", amount: OFF, currency: "CNY" },
      validity: { days: 30, mode: "rolling" },
      timeZone: "Asia/Shanghai",
      refundPolicy: "restore",
    },
    { total: TOTAL, perUser: 1 },
    TOTAL * OFF,
  );
  const { claimed } = crowdOn(batch.batchId);
  await eventually(() => claimed.filter(({ outcome }) => outcome === "issued").length > 100);
  const askedAtMs = performance.now();
  const paused = await world.act(batch.batchId, "pause");
  const confirmedAtMs = performance.now();
  expect(paused).toMatchObject({ state: "paused", inForce: true });
  expect(confirmedAtMs - askedAtMs).toBeLessThan(CONFIRMED_WITHIN_MS);
  await eventually(() => askedSince(claimed, confirmedAtMs).length > 200);
  expect(outcomes(askedSince(claimed, confirmedAtMs))).toEqual(["batch_paused"]);
  const everyShard = Array.from({ length: paused.shards ?? 1 }, (_, shard) => [shard, 0] as const);
  expect(await issuedAfter(batch.batchNumber, paused.version)).toEqual(new Map(everyShard));

  await world.act(batch.batchId, "resume");
  const resumedAtMs = performance.now();
  await eventually(() => askedSince(claimed, resumedAtMs).length > 100);
  expect(outcomes(askedSince(claimed, resumedAtMs))).toEqual(["issued"]);
});
