import { expect, test } from "vitest";
import { openedAfter } from "./opened-after.ts";

const balances = [{ event: "open" as const, account: "liability" as const, party: "p", amount: -5, coupons: 5 }];
const opening = (number: number, debited = 1, credited = 1) => ({ number, debited, credited });

test("books that were there from the first entry were opened after none, whatever a line is called", () => {
  expect(openedAfter({ openings: [opening(3)], balances: [] })).toBe(-1);
});

test("an opening that stands on both sides counts, and a line beside it does not", () => {
  expect(openedAfter({ openings: [opening(3, 1, 0), opening(100)], balances })).toBe(100);
});

test("of two that stand on both sides neither is believed: nothing is told up to the last", () => {
  expect(openedAfter({ openings: [opening(3), opening(100)], balances })).toBe(100);
});
