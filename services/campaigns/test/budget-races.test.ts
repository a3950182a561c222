import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchTerms, Desk } from "./support/desk.ts";
import { type Answer, World } from "./support/world.ts";

const world = new World();
const desk = new Desk(world);
const DISCOUNT = 1_000;

beforeAll(() => world.start());
afterAll(() => world.close());

/** Batches in review of one campaign, one for each total of stock; made one after another. */
async function inReview(campaignId: string, totals: number[]): Promise<Answer[]> {
  const { templateId } = (await desk.template()).body;
  const batches: Answer[] = [];
  for (const total of totals) {
    const body = { campaignId, templateId, ...batchTerms, shards: 1, stock: { total, perUser: 1 } };
    const draft = await world.call("operator", "POST", "/ops/v1/batches", { body });
    batches.push(await desk.act(draft, "operator", "submit"));
  }
  return batches;
}

async function approveAll(batches: Answer[]): Promise<Answer[]> {
  return await Promise.all(
    batches.map(({ body, etag }) =>
      world.call("approver", "POST", `/ops/v1/batches/${body.batchId}/approve`, { ifMatch: etag }),
    ),
  );
}

/** What is reserved is what the approved batches can cost, and the reservations add up to it. */
async function expectTheBooksToBalance(campaignId: string, budget: number): Promise<number> {
  const reserved = await desk.reserved(campaignId);
  const approved = await world.prisma.batch.findMany({ where: { campaignId, state: "approved" } });
  const liability = approved.reduce((sum, { stockTotal }) => sum + Number(stockTotal) * DISCOUNT, 0);
  const held = await world.prisma.budgetReservation.aggregate({ where: { campaignId }, _sum: { amount: true } });
  expect(reserved).toBe(liability);
  expect(Number(held._sum.amount ?? 0)).toBe(liability);
  expect(reserved).toBeLessThanOrEqual(budget);
  return reserved;
}

describe("the budget under races", () => {
  test("50 approvals at the same time, of which 20 fit: 20 succeed, and not a unit more is reserved", async () => {
    const budget = 20 * 10 * DISCOUNT + 9_999;
    const { campaignId } = (await desk.campaign({ budget: { amount: budget, currency: "CNY" } })).body;
    const answers = await approveAll(await inReview(campaignId, new Array(50).fill(10)));
    const codes = answers.map(({ status, body }) => (status === 200 ? "approved" : body.code)).sort();
    expect(codes.filter((code) => code === "approved")).toHaveLength(20);
    expect(codes.filter((code) => code === "budget_exceeded")).toHaveLength(30);
    expect(await expectTheBooksToBalance(campaignId, budget)).toBe(20 * 10 * DISCOUNT);
  });

  test("whatever the budget and the batches are, approvals in any order never pass it", async () => {
    const totals = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(totals, fc.integer({ min: 0, max: 200 * DISCOUNT }), async (stocks, budget) => {
        const { campaignId } = (await desk.campaign({ budget: { amount: budget, currency: "CNY" } })).body;
        const answers = await approveAll(await inReview(campaignId, stocks));
        const reserved = await expectTheBooksToBalance(campaignId, budget);
        // Who was refused did not fit into what the others have left.
        for (const [i, answer] of answers.entries()) {
          if (answer.status !== 200) expect(reserved + (stocks[i] ?? 0) * DISCOUNT).toBeGreaterThan(budget);
        }
      }),
      { numRuns: 10 },
    );
  });

  test("more stock and approvals at the same time share what is left", async () => {
    const budget = 100 * DISCOUNT;
    const { campaignId } = (await desk.campaign({ budget: { amount: budget, currency: "CNY" } })).body;
    const grown = await approveAll(await inReview(campaignId, [10, 10, 10]));
    const fresh = await inReview(campaignId, [20, 20, 20]);
    const [more] = await Promise.all([
      Promise.all(
        grown.map(({ body, etag }) =>
          world.call("operator", "POST", `/ops/v1/batches/${body.batchId}/stock-changes`, {
            ...{ body: { from: 10, to: 40, reason: "demand" }, ifMatch: etag },
          }),
        ),
      ),
      approveAll(fresh),
    ]);
    for (const { status } of more) expect([200, 409]).toContain(status);
    expect(await expectTheBooksToBalance(campaignId, budget)).toBeGreaterThan(50 * DISCOUNT);
  });

  test("one batch approved by many at the same time reserves once", async () => {
    const { campaignId } = (await desk.campaign()).body;
    const [batch] = await inReview(campaignId, [10]);
    const answers = await approveAll(new Array(10).fill(batch));
    // All are the same approver's repetitions of one approval.
    for (const { status } of answers) expect([200, 412]).toContain(status);
    expect(await expectTheBooksToBalance(campaignId, 1_000_000)).toBe(10 * DISCOUNT);
  });
});
