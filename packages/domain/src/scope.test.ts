import { expect, it } from "vitest";
import type { OrderLine, Scope } from "./model.ts";
import { inScope } from "./scope.ts";

const line: OrderLine = {
  lineId: "1",
  productId: "p1",
  categoryIds: ["shoes", "sale"],
  sellerId: "s1",
  quantity: 1,
  unitAmount: 1,
};
const bare: OrderLine = { lineId: "2", productId: "p2", quantity: 1, unitAmount: 1 };

it.each<[string, Scope | undefined, boolean, boolean]>([
  ["no scope", undefined, true, true],
  ["a scope without lists", {}, true, true],
  ["a product", { productIds: ["p0", "p1"] }, true, false],
  ["any of a line's categories", { categoryIds: ["sale", "books"] }, true, false],
  ["a seller", { sellerIds: ["s1"] }, true, false],
  ["every list that is given", { productIds: ["p1", "p2"], sellerIds: ["s1"] }, true, false],
  ["lists of which one does not match", { productIds: ["p1", "p2"], categoryIds: ["books"] }, false, false],
  ["an empty list", { productIds: [] }, false, false],
])("%s", (_, scope, first, second) => {
  expect([inScope(scope, line), inScope(scope, bare)]).toEqual([first, second]);
});
