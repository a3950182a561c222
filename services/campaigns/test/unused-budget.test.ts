import { eventually } from "@coupon/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { batchTerms, Desk } from "./support/desk.ts";
import type { StubRequest } from "./support/stub-service.ts";
import { type Answer, World } from "./support/world.ts";

const DISCOUNT = 1_000;
const TOTAL = 100;
const world = new World();
const other = new World();
const desk = new Desk(world);

interface Use {
  ended: boolean;
  issued: number;
  open: number;
  overCost: number;
  waiting: number;
  doubtfulUntil: string | null;
}

const uses = new Map<number, Use>();

beforeAll(async () => {
  await world.start({ env: { GIVE_BACK_EVERY_MS: "20" } });
  // Two instances look for what was not used, at the same time.
  await other.join(world);
});

afterAll(async () => {
  await other.close();
  await world.close();
});

beforeEach(() => {
  uses.clear();
  world.ledger.requests.length = 0;
  world.ledger.answer = ({ path }: StubRequest) => {
    const use = uses.get(Number(/batches\/(\d+)\/use$/.exec(path)?.[1]));
    return use === undefined ? { status: 404, body: {} } : { status: 200, body: use };
  };
});

function useOf({ body }: Answer, use: Partial<Use> = {}): void {
  uses.set(body.batchNumber, {
    ...{ ended: false, issued: 0, open: 0, overCost: 0, waiting: 0, doubtfulUntil: null },
    ...use,
  });
}

/** Takes every batch away from the ledger but this one's, so that no other test's batch is asked about in vain. */
async function batchWith(use: Partial<Use>, step: "approved" | "issuing" = "issuing"): Promise<Answer> {
  await world.prisma.budgetReservation.updateMany({ data: { amount: 0n } });
  const batch = await desk[step]();
  useOf(batch, use);
  return batch;
}

const reserved = ({ body }: Answer) => desk.reserved(body.campaignId);

async function becomes(batch: Answer, amount: number): Promise<void> {
  await eventually(async () => (await reserved(batch)) === amount);
}

/** Waits until the ledger has been asked about the batch by rounds that began after now. */
async function roundsOver({ body }: Answer): Promise<void> {
  const asked = () =>
    world.ledger.requests.filter(({ path }) => path.endsWith(`/batches/${body.batchNumber}/use`)).length;
  const from = asked();
  await eventually(() => asked() >= from + 6);
}

describe("budget that was reserved and not used", () => {
  test("stays while everything may still be issued or redeemed", async () => {
    const batch = await batchWith({ issued: 40, open: 40, waiting: 40 });
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(TOTAL * DISCOUNT);
  });

  test("goes back as coupons expire, and when the batch ends, once", async () => {
    const batch = await batchWith({ issued: 40, open: 40, waiting: 40 });
    // Ten coupons are over: three of them were redeemed, for 700 each.
    useOf(batch, { issued: 40, open: 30, overCost: 2_100, waiting: 30 });
    await becomes(batch, 90 * DISCOUNT + 2_100);
    const ended = await desk.act(batch, "operator", "end");
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(90 * DISCOUNT + 2_100);
    useOf(ended, { ended: true, issued: 40, open: 30, overCost: 2_100, waiting: 30 });
    await becomes(batch, 30 * DISCOUNT + 2_100);
    useOf(ended, { ended: true, issued: 40, open: 0, overCost: 5_000 });
    await becomes(batch, 5_000);
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(5_000);
    const audits = await world.prisma.audit.findMany({
      where: { resourceId: batch.body.batchId, action: "give_back_unused" },
      orderBy: { auditId: "asc" },
    });
    expect(audits.map(({ request }) => (request as { givenBack: number }).givenBack)).toEqual([7_900, 60_000, 27_100]);
    expect(new Set(audits.map(({ actor }) => actor))).toEqual(new Set(["platform"]));
  });

  test("waits while a decrease of the stock is not settled", async () => {
    const batch = await batchWith({ issued: 10, open: 10, waiting: 10 });
    world.owner.keepSilent(({ batchId }) => batchId === batch.body.batchId);
    await world.call("operator", "POST", `/ops/v1/batches/${batch.body.batchId}/stock-changes`, {
      ...{ body: { from: TOTAL, to: 50, reason: "less demand" }, ifMatch: batch.etag },
    });
    useOf(batch, { issued: 10, open: 0, waiting: 0 });
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(TOTAL * DISCOUNT);
    await world.owner.speak();
    await becomes(batch, 40 * DISCOUNT);
  });

  test("has an ended batch published once more where a silent shard leaves a doubt, and once only", async () => {
    const batch = await batchWith({ issued: 40, open: 40, waiting: 40 });
    const ended = await desk.act(batch, "operator", "end");
    const { batchId, version } = ended.body;
    const doubtfulUntil = new Date(Date.parse(ended.body.updatedAt) + 1).toISOString();
    useOf(ended, { ended: true, issued: 40, open: 40, doubtfulUntil });
    await eventually(() => world.owner.newestOf(batchId)?.version === version + 1);
    await roundsOver(batch);
    expect(world.owner.newestOf(batchId)).toMatchObject({ version: version + 1, state: "ended" });
    expect(await reserved(batch)).toBe(40 * DISCOUNT);
    useOf(ended, { ended: true, issued: 40, open: 0, overCost: 300 });
    await becomes(batch, 300);
  });

  test("is never given back by a ledger that is away, or that counts more than there is", async () => {
    const batch = await batchWith({ issued: 40, open: 140, overCost: 0, waiting: 140 });
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(TOTAL * DISCOUNT);
    uses.clear();
    await roundsOver(batch);
    expect(await reserved(batch)).toBe(TOTAL * DISCOUNT);
    const metrics = await world.call(null, "GET", "/metrics");
    expect(metrics.body).toMatch(/campaigns_budget_short_total\{service="campaigns"\} [1-9]/);
  });

  test("goes back from the batches behind some that the ledger tells nothing about", async () => {
    await world.prisma.budgetReservation.updateMany({ data: { amount: 0n } });
    const batches: Answer[] = [];
    for (let each = 0; each < 5; each += 1) batches.push(await desk.issuing());
    const last = batches.reduce((a, b) => (a.body.batchId > b.body.batchId ? a : b));
    useOf(last, { issued: TOTAL, open: 10, overCost: 700, waiting: 10 });
    await becomes(last, 10 * DISCOUNT + 700);
    // Round after round, not once.
    useOf(last, { issued: TOTAL, open: 5, overCost: 800, waiting: 5 });
    await becomes(last, 5 * DISCOUNT + 800);
    for (const each of batches) if (each !== last) expect(await reserved(each)).toBe(TOTAL * DISCOUNT);
  });

  test("is given back while other batches reserve it: never more than the budget, and the sums agree", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(100), fc.nat(60), async (over, cost) => {
        await world.prisma.budgetReservation.updateMany({ data: { amount: 0n } });
        const budget = 2 * TOTAL * DISCOUNT;
        const first = await desk.issuing({}, { budget: { amount: budget, currency: "CNY" } });
        const { campaignId, templateId } = first.body;
        const drafts = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => draftOf(campaignId, templateId)));
        const submitted: Answer[] = [];
        for (const draft of drafts) submitted.push(await desk.act(draft, "operator", "submit"));
        for (const each of submitted) useOf(each);
        useOf(first, { ended: true, issued: TOTAL, open: TOTAL - over, overCost: over * cost, waiting: TOTAL - over });
        const answers = await Promise.all(
          submitted.map(({ body, etag }) =>
            world.call("approver", "POST", `/ops/v1/batches/${body.batchId}/approve`, { ifMatch: etag }),
          ),
        );
        const approved = answers.filter(({ status }) => status === 200).length;
        const kept = (TOTAL - over) * DISCOUNT + over * cost;
        await eventually(async () => (await desk.reserved(campaignId)) === kept + approved * 25 * DISCOUNT);
        const sum = await world.prisma.budgetReservation.aggregate({ where: { campaignId }, _sum: { amount: true } });
        expect(Number(sum._sum.amount)).toBe(kept + approved * 25 * DISCOUNT);
        expect(kept + approved * 25 * DISCOUNT).toBeLessThanOrEqual(budget);
        expect(approved).toBeGreaterThanOrEqual(4);
      }),
      { numRuns: 5 },
    );
  });
});

async function draftOf(campaignId: string, templateId: string): Promise<Answer> {
  const body = { campaignId, templateId, ...batchTerms, stock: { total: 25, perUser: 1 } };
  return await world.call("operator", "POST", "/ops/v1/batches", { body });
}
