import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { discountOf, ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

const T0 = Date.parse("2026-03-01T08:00:00Z");
const HOUR_MS = 3_600_000;
const shared = [
  { party: "brand", basisPoints: 6_000 },
  { party: "store", basisPoints: 4_000 },
];

let world: World;

beforeAll(async () => {
  world = await World.create();
  await world.publish(batchOf(7, { funding: shared }), batchOf(8), batchOf(9, { campaignId: "cmp_2" }));
  const seven = new ShardStory(7, 0, T0);
  await world.append(0, [seven.rules(), seven.issue(["anna", "ben", "cleo"])]);
  seven.later(HOUR_MS);
  await world.append(0, [
    seven.redeem(0, "o1", discountOf(301)),
    seven.reverse(0, "o1", 101, 200, false),
    seven.deactivate(1),
  ]);
  for (const batch of [8, 9]) {
    const story = new ShardStory(batch, 0, T0);
    await world.append(1, [story.rules(), story.issue(["anna"])]);
  }
  await world.start();
  await world.applied();
});

afterAll(() => world.close());

const cny = (amount: number) => ({ amount, currency: "CNY" });
type Line = { event: string; account: string; party: string; side: string; amount: object; coupons: number };
const brief = ({ event, account, party, side, amount, coupons }: Line) => [
  event,
  account,
  party,
  side,
  amount,
  coupons,
];

describe("GET /ops/v1/postings", () => {
  it("shows the lines of an issue, each coupon at its greatest discount, by party", async () => {
    const { status, body } = await world.ops(`/postings?batchId=bat_7&until=2026-03-01T09:00:00Z`);
    expect(status).toBe(200);
    expect(body.items.map(brief).sort()).toEqual([
      ["issue", "commitment", "brand", "debit", cny(900), 3],
      ["issue", "commitment", "store", "debit", cny(600), 3],
      ["issue", "liability", "brand", "credit", cny(900), 3],
      ["issue", "liability", "store", "credit", cny(600), 3],
    ]);
    expect(body.items[0]).toMatchObject({
      ...{ batchId: "bat_7", campaignId: "cmp_1", shard: 0, number: 2, at: "2026-03-01T08:00:00.000Z" },
    });
  });

  it("shows what a redemption settles, what a reversal gives back, and what a deactivation lets go", async () => {
    const { body } = await world.ops(`/postings?batchId=bat_7&party=brand&from=2026-03-01T09:00:00Z`);
    expect(body.items.map(brief).sort()).toEqual([
      ["deactivate", "commitment", "brand", "credit", cny(300), 1],
      ["deactivate", "liability", "brand", "debit", cny(300), 1],
      ["redeem", "commitment", "brand", "credit", cny(300), 1],
      ["redeem", "cost", "brand", "debit", cny(181), 1],
      ["redeem", "liability", "brand", "debit", cny(300), 1],
      ["redeem", "payable", "brand", "credit", cny(181), 1],
      ["reverse", "cost", "brand", "credit", cny(61), 1],
      ["reverse", "payable", "brand", "debit", cny(61), 1],
    ]);
  });

  it("filters by campaign and account, and pages through everything once, newest first", async () => {
    const ofCampaign = await world.ops("/postings?campaignId=cmp_2&account=liability");
    expect(ofCampaign.body.items.map(brief)).toEqual([["issue", "liability", "platform", "credit", cny(500), 1]]);
    const all = (await world.ops("/postings?limit=200")).body.items as { postingId: number; at: string }[];
    const paged: typeof all = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await world.ops(`/postings?limit=5${cursor === "" ? "" : `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      paged.push(...page.body.items);
      cursor = page.body.nextCursor;
    }
    expect(paged).toEqual(all);
    expect(all.map(({ at }) => at)).toEqual(
      all
        .map(({ at }) => at)
        .toSorted()
        .reverse(),
    );
    expect(all).toHaveLength(24);
  });

  it("refuses what is no account, no time and no cursor, and who has no role", async () => {
    for (const query of ["account=gifts", "from=yesterday", "until=2026-02-30T00:00:00Z", "limit=201"]) {
      const { status, body } = await world.ops(`/postings?${query}`);
      expect([query, status, body.code]).toEqual([query, 400, "request_invalid"]);
    }
    expect((await world.ops("/postings?cursor=x")).body.code).toBe("cursor_invalid");
    expect((await world.ops("/postings", ["gardener"])).body.code).toBe("role_missing");
    expect((await world.ops("/postings", null)).body.code).toBe("token_invalid");
    for (const role of ["operator", "approver", "viewer", "finance"]) {
      expect((await world.ops("/postings", [role])).status).toBe(200);
    }
  });
});

describe("GET /ops/v1/settlements", () => {
  it("adds up each party's part of a batch, with a trial balance of 0", async () => {
    const { status, body } = await world.ops("/settlements?batchId=bat_7");
    expect(status).toBe(200);
    const brand = {
      ...{ campaignId: "cmp_1", batchId: "bat_7", party: "brand" },
      opening: { liability: cny(0), payable: cny(0) },
      issued: { coupons: 3, liability: cny(900) },
      redeemed: { coupons: 1, settled: cny(181), released: cny(119) },
      reversed: { coupons: 1, returned: cny(61), liability: cny(0) },
      expired: { coupons: 0, liability: cny(0) },
      deactivated: { coupons: 1, liability: cny(300) },
      outstanding: cny(300),
      payable: cny(120),
    };
    expect(body.items).toEqual([brand, expect.objectContaining({ party: "store", payable: cny(80) })]);
    expect(body.trialBalance).toEqual([{ currency: "CNY", debit: 700, credit: 700, imbalance: 0 }]);
    expect(body.nextCursor).toBeNull();
  });

  it("adds up a period from its lines, and a campaign from its batches", async () => {
    const period = await world.ops("/settlements?batchId=bat_7&party=brand&from=2026-03-01T09:00:00Z");
    expect(period.body.items).toEqual([
      expect.objectContaining({ issued: { coupons: 0, liability: cny(0) }, outstanding: cny(-600), payable: cny(120) }),
    ]);
    expect(period.body.trialBalance[0].imbalance).toBe(0);
    const campaigns = await world.ops("/settlements?by=campaign&party=platform");
    expect(campaigns.body.items.map((each: { campaignId: string }) => each.campaignId)).toEqual(["cmp_1", "cmp_2"]);
    expect(campaigns.body.items[0]).toMatchObject({ batchId: null, outstanding: cny(500) });
  });

  it("pages by groups, and refuses as postings do", async () => {
    const parties: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await world.ops(`/settlements?limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`);
      parties.push(
        ...page.body.items.map((each: { batchId: string; party: string }) => `${each.batchId} ${each.party}`),
      );
      cursor = page.body.nextCursor;
    }
    expect(parties).toEqual(["bat_7 brand", "bat_7 store", "bat_8 platform", "bat_9 platform"]);
    expect((await world.ops("/settlements?cursor=W10")).body.code).toBe("cursor_invalid");
    expect((await world.ops("/settlements?until=2026-13-01T00:00:00Z")).body.code).toBe("request_invalid");
    expect((await world.ops("/settlements", ["gardener"])).body.code).toBe("role_missing");
  });

  it("finds a line that was changed: the trial balance is not 0", async () => {
    await world.pool.query(
      "UPDATE ledger.account_balance SET amount = amount - 7 WHERE batch = 9 AND account = 'liability'",
    );
    const { body } = await world.ops("/settlements");
    expect(body.trialBalance[0].imbalance).toBe(-7);
  });
});
