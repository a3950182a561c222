import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PAGE_ROWS_MAX } from "../src/use-cases/list-coupons.ts";
import { createRandom, type Random } from "./support/random.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

let world: World;

const now = Date.now();
const hour = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();
const template = batchOf(1).template;
const shop = { callerId: "shop", may: ["issue", "read"] as ("issue" | "read")[] };
const both = [shop, { callerId: "rival", may: ["read" as const] }];
const definitions = [
  batchOf(1, { callers: both }),
  batchOf(2, { template: { ...template, validity: { from: iso(now - 9 * hour), until: iso(now - hour) } } }),
  batchOf(3, { template: { ...template, validity: { from: iso(now + 99 * hour), until: iso(now + 199 * hour) } } }),
  batchOf(4, { template: { ...template, validity: { days: 2, mode: "rolling" } }, callers: both }),
  batchOf(5, { template: { ...template, validity: { days: 2, delayDays: 1, mode: "calendar" } } }),
  batchOf(6, { callers: [{ callerId: "rival", may: ["issue", "read"] }] }),
  batchOf(7, { state: "deactivated", revoked: true }),
];
const users = ["anna", "ben", "cleo"];
const states = ["pending", "effective", "locked", "redeemed", "expired", "deactivated"];

interface Item {
  couponId: string;
  batchId: string;
  state: string;
  issuedAt: string;
  validUntil: string;
}

beforeAll(async () => {
  world = await World.create();
  await world.publish(...definitions);
  const random = createRandom(5);
  for (const definition of definitions) {
    for (const shard of [0, 1]) {
      const story = new ShardStory(definition.batchNumber, shard, now - 90 * hour);
      await world.append((definition.batchNumber + shard) % 3, tell(story, random));
    }
  }
  await world.start();
  await world.applied();
});

afterAll(async () => {
  await world.close();
});

/** Issues in bursts of one instant, so that ties are common, and does something to many of the coupons. */
function tell(story: ShardStory, random: Random) {
  const entries = [story.rules()];
  for (let n = 0; n < 12; n++) {
    story.later(random.below(3) * 3 * hour);
    const userIds = Array.from({ length: 1 + random.below(4) }, () => random.pick(users));
    entries.push(story.issue(userIds));
  }
  for (const { serial } of [...story.coupons]) {
    const orderId = `o-${story.batch}-${story.shard}-${serial}`;
    const draw = random.below(100);
    if (draw < 15) entries.push(story.lock(serial, orderId, draw < 7 ? 1_000 : 999 * hour));
    else if (draw < 28) entries.push(story.redeem(serial, orderId));
    else if (draw < 36) entries.push(story.deactivate(serial));
  }
  return entries;
}

async function readAll(path: string, caller: string, limit: number): Promise<Item[]> {
  const items: Item[] = [];
  let cursor = "";
  for (let pages = 0; pages < 200; pages++) {
    const { status, body } = await world.get(`${path}&limit=${limit}${cursor}`, { "x-caller-id": caller });
    expect(status).toBe(200);
    expect(body.items.length).toBeLessThanOrEqual(limit);
    items.push(...body.items);
    if (body.nextCursor === null) return items;
    cursor = `&cursor=${body.nextCursor}`;
  }
  throw new Error("the pages do not end");
}

const anyListing = fc.record({
  userId: fc.constantFrom(...users),
  caller: fc.constantFrom("shop", "rival", "stranger"),
  state: fc.option(fc.constantFrom(...states)),
  batchId: fc.option(fc.constantFrom(...definitions.map((each) => each.batchId))),
  soonest: fc.boolean(),
  limit: fc.integer({ min: 1, max: 12 }),
});

const pathOf = ({ userId, state, batchId, soonest }: Record<string, unknown>) =>
  `/v1/users/${userId}/coupons?${new URLSearchParams({
    ...(state ? { state: String(state) } : {}),
    ...(batchId ? { batchId: String(batchId) } : {}),
    ...(soonest ? { sort: "validUntil" } : {}),
  })}`;

describe("the pages of a listing", () => {
  it("together are what one large page shows, filtered: nothing missing, nothing twice, in order", async () => {
    await fc.assert(
      fc.asyncProperty(anyListing, async (listing) => {
        const { userId, caller, limit, state, batchId, soonest } = listing;
        const everything = await readAll(`/v1/users/${userId}/coupons?`, caller, 200);
        const wanted = everything
          .filter((item) => state === null || item.state === state)
          .filter((item) => batchId === null || item.batchId === batchId);
        const paged = await readAll(pathOf(listing), caller, limit);
        const ids = (items: Item[]) => items.map((item) => item.couponId);
        if (soonest) {
          expect(ids(paged).toSorted()).toEqual(ids(wanted).toSorted());
          const ends = paged.map((item) => item.validUntil);
          expect(ends).toEqual(ends.toSorted());
        } else {
          expect(ids(paged)).toEqual(ids(wanted));
          const issues = paged.map((item) => item.issuedAt);
          expect(issues).toEqual(issues.toSorted().reverse());
        }
      }),
      { numRuns: 60 },
    );
  });

  it("show every state that there is, and only what the caller may read", async () => {
    const seen = new Set<string>();
    for (const userId of users) {
      for (const item of await readAll(`/v1/users/${userId}/coupons?`, "shop", 200)) {
        seen.add(item.state);
        expect(item.batchId).not.toBe("bat_6");
      }
      const rivals = await readAll(`/v1/users/${userId}/coupons?`, "rival", 200);
      for (const item of rivals) expect(["bat_1", "bat_4", "bat_6"]).toContain(item.batchId);
    }
    expect([...seen].toSorted()).toEqual(states.toSorted());
  });

  it("stay where they were while new coupons are issued", async () => {
    const path = "/v1/users/anna/coupons?limit=3";
    const before = await readAll("/v1/users/anna/coupons?", "shop", 200);
    const first = await world.get(path);
    const story = new ShardStory(1, 3, Date.now());
    const after = await world.append(2, [story.rules(), story.issue(["anna"])]);
    const second = await world.get(`${path}&cursor=${first.body.nextCursor}`, { "read-after": after });
    expect(second.body.items.map((item: Item) => item.couponId)).toEqual(
      before.slice(3, 6).map((item) => item.couponId),
    );
  });

  it("by the end of the validity are of the newest coupons of the batches in question, a bounded number", async () => {
    const older = new ShardStory(4, 5, now - 80 * hour);
    const opening = [older.rules(), older.issue(Array(300).fill("zoe"))];
    const many = Array.from({ length: 10 }, () => older.later(60_000).issue(Array(500).fill("zoe")));
    const newer = new ShardStory(1, 5, now - hour);
    await world.append(0, [...opening, ...many.slice(0, 5)]);
    await world.append(0, many.slice(5));
    const after = await world.append(1, [newer.rules(), newer.issue(Array(50).fill("zoe"))]);
    await world.applied();

    const path = "/v1/users/zoe/coupons?sort=validUntil";
    const listed = await readAll(path, "shop", 200);
    expect(listed.length).toBe(PAGE_ROWS_MAX);
    const ends = listed.map(({ validUntil }) => validUntil);
    expect(ends).toEqual(ends.toSorted());
    const newest = await readAll("/v1/users/zoe/coupons?", "shop", 200);
    expect(newest.length).toBe(5_350);
    const ids = (items: Item[]) => items.map(({ couponId }) => couponId).toSorted();
    expect(ids(listed)).toEqual(ids(newest.slice(0, PAGE_ROWS_MAX)));

    const ofBatch = await readAll(`${path}&batchId=bat_1`, "shop", 200);
    expect(ids(ofBatch)).toEqual(ids(newest.slice(0, 50)));
    expect((await world.get(`${path}&limit=1`, { "read-after": after })).body.items).toHaveLength(1);
  });

  it("refuse a cursor of another listing, and one that was tampered with", async () => {
    const { body } = await world.get("/v1/users/anna/coupons?limit=2");
    const cursor = String(body.nextCursor);
    const tampered = (cursor[0] === "A" ? "B" : "A") + cursor.slice(1);
    const paths: [string, Record<string, string>][] = [
      [`/v1/users/ben/coupons?cursor=${cursor}`, {}],
      [`/v1/users/anna/coupons?cursor=${cursor}`, { "x-caller-id": "rival" }],
      [`/v1/users/anna/coupons?cursor=${cursor}`, { "x-caller-sandbox": "false" }],
      [`/v1/users/anna/coupons?sort=validUntil&cursor=${cursor}`, {}],
      [`/v1/users/anna/coupons?state=effective&cursor=${cursor}`, {}],
      [`/v1/users/anna/coupons?batchId=bat_1&cursor=${cursor}`, {}],
      [`/v1/users/anna/coupons?cursor=${tampered}`, {}],
      [`/v1/users/anna/coupons?cursor=${cursor}A`, {}],
      [`/v1/users/anna/coupons?cursor=`, {}],
    ];
    for (const [path, headers] of paths) {
      const answer = await world.get(path, headers);
      expect([path, answer.status, answer.body.code]).toEqual([path, 400, "cursor_invalid"]);
    }
    expect((await world.get(`/v1/users/anna/coupons?limit=7&cursor=${cursor}`)).status).toBe(200);
  });
});
