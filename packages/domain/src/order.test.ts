import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Order, OrderLine } from "./model.ts";
import { checkOrder, orderPayloadHash } from "./order.ts";

const line = (change: Partial<OrderLine> = {}): OrderLine => ({
  lineId: "1",
  productId: "p",
  quantity: 2,
  unitAmount: 1_250,
  ...change,
});
const order = (lines: OrderLine[], amount?: number): Order => ({
  amount: amount ?? lines.reduce((sum, { quantity, unitAmount }) => sum + quantity * unitAmount, 0),
  currency: "CNY",
  lines,
});
const pointers = (wrong: Order) => checkOrder(wrong).map(({ pointer }) => pointer);

describe("checkOrder", () => {
  it("finds nothing wrong with an order that adds up", () => {
    const lines = [
      line({ categoryIds: ["a"], sellerId: "s" }),
      line({ lineId: "2", unitAmount: 0 }),
      line({ lineId: "3", quantity: 1_000_000, unitAmount: 1 }),
    ];
    expect(checkOrder(order(lines))).toEqual([]);
  });

  it("finds a sum that is off by one, whichever way", () => {
    for (const amount of [2_499, 2_501, 0]) {
      expect(checkOrder(order([line()], amount), "/order")).toEqual([
        { pointer: "/order/amount", message: "is not the sum of quantity × unitAmount, 2500" },
      ]);
    }
  });

  it("finds a sum beyond the safe integers, however it was rounded", () => {
    const large = Array.from({ length: 10 }, (_, index) =>
      line({ lineId: `${index}`, quantity: 1_000, unitAmount: 1_000_000_000_000 }),
    );
    expect(checkOrder(order(large, Number.MAX_SAFE_INTEGER))).toEqual([
      { pointer: "/amount", message: "is too large" },
    ]);
    const half = large.slice(0, 9).concat(line({ lineId: "9", quantity: 7_199, unitAmount: 1_000_000_000 }));
    expect(checkOrder(order(half, 9_007_199_000_000_000))).toEqual([]);
  });

  it.each([
    ["an amount below 0", order([line()], -1), ["/amount"]],
    ["an amount that is no integer", order([line()], 2_500.5), ["/amount"]],
    ["an amount beyond the safe integers", order([line()], 2 ** 53), ["/amount"]],
    ["no lines", order([]), ["/lines"]],
    ["too many lines", order(Array.from({ length: 201 }, (_, index) => line({ lineId: `${index}` }))), ["/lines"]],
    ["a currency that is no code", { ...order([line()]), currency: "cny" }, ["/currency"]],
    ["two lines of one id", order([line(), line({ productId: "q" })]), ["/lines/1/lineId"]],
    ["a quantity of 0", order([line({ quantity: 0 })]), ["/lines/0/quantity"]],
    ["a quantity below 0", order([line({ quantity: -1, unitAmount: 0 })]), ["/lines/0/quantity"]],
    ["a quantity that is no integer", order([line({ quantity: 0.5, unitAmount: 2 })]), ["/lines/0/quantity"]],
    ["too large a quantity", order([line({ quantity: 1_000_001 })]), ["/lines/0/quantity"]],
    ["a price below 0", order([line(), line({ lineId: "2", unitAmount: -1 })]), ["/lines/1/unitAmount"]],
    ["too large a price", order([line({ unitAmount: 1e12 + 1 })]), ["/lines/0/unitAmount"]],
    [
      "ids that can't be ids",
      order([line({ lineId: "", productId: "\u0000", sellerId: "😀", categoryIds: ["a", " "] })]),
      ["/lines/0/lineId", "/lines/0/productId", "/lines/0/sellerId", "/lines/0/categoryIds/1"],
    ],
    ["too many categories", order([line({ categoryIds: new Array(51).fill("c") })]), ["/lines/0/categoryIds"]],
  ])("finds %s", (_, wrong, expected) => {
    expect(pointers(wrong)).toEqual(expected);
  });
});

describe("orderPayloadHash", () => {
  const known = order([line({ categoryIds: ["b", "a"], sellerId: "s" }), line({ lineId: "2" })]);

  it("is 16 hexadecimal digits that never change", () => {
    expect(orderPayloadHash(known)).toBe("ab769f4ac75207ec");
  });

  it("does not depend on how the JSON was written", () => {
    const { lines, currency, amount } = known;
    const rewritten = lines.map((each) => Object.fromEntries(Object.entries(each).reverse()) as unknown as OrderLine);
    expect(orderPayloadHash({ lines: rewritten, currency, amount })).toBe(orderPayloadHash(known));
    const sorted = lines.map((each) =>
      each.categoryIds ? { ...each, categoryIds: ["a", "b", "b"] } : { ...each, categoryIds: [] },
    );
    expect(orderPayloadHash({ ...known, lines: sorted })).toBe(orderPayloadHash(known));
  });

  it("differs where any value differs, and where ids could be read across their bounds", () => {
    const [first, second] = known.lines as [OrderLine, OrderLine];
    const others: Order[] = [
      { ...known, amount: known.amount + 1 },
      { ...known, currency: "USD" },
      { ...known, lines: [second, first] },
      { ...known, lines: [first] },
      ...[
        { lineId: "x" },
        { productId: "x" },
        { quantity: 3 },
        { unitAmount: 1 },
        { sellerId: "x" },
        { categoryIds: ["a"] },
        { categoryIds: ['a","b'] },
      ].map((change) => ({ ...known, lines: [{ ...first, ...change }, second] })),
    ];
    const hashes = [known, ...others].map(orderPayloadHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it("is a function of the content", () => {
    const anyLine = fc.record({
      lineId: fc.constantFrom("1", "2"),
      productId: fc.constantFrom("p", "q"),
      quantity: fc.integer({ min: 1, max: 2 }),
      unitAmount: fc.integer({ min: 0, max: 2 }),
    });
    const anyOrder = fc.array(anyLine, { minLength: 1, maxLength: 2 }).map((lines) => order(lines));
    fc.assert(
      fc.property(anyOrder, anyOrder, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(orderPayloadHash(one) === orderPayloadHash(other)).toBe(same);
      }),
    );
  });
});
