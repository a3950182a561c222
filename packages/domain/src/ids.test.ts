import { expect, it } from "vitest";
import { isIdempotencyKey, isItemId, isOrderId, isUserId } from "./ids.ts";

const long = (length: number) => "a".repeat(length);

it("takes user and order ids of the stated alphabet, 1 to 128 characters", () => {
  for (const check of [isUserId, isOrderId]) {
    for (const id of ["a", "A-Z_0.9:@", long(128)]) expect(check(id), id).toBe(true);
    for (const id of ["", long(129), "a b", "a/b", "ä", "a\n", "\u0000", "😀", 'a"']) expect(check(id), id).toBe(false);
  }
});

it("takes idempotency keys of visible ASCII, 1 to 64 characters", () => {
  for (const key of ["!", "~", '"quoted"', long(64)]) expect(isIdempotencyKey(key), key).toBe(true);
  for (const key of ["", long(65), "a b", "\u007f", "é", "a\n", "\u0000"])
    expect(isIdempotencyKey(key), key).toBe(false);
});

it("takes ids inside an order of visible ASCII, 1 to 128 characters", () => {
  for (const id of ["sku/1", "#!~", long(128)]) expect(isItemId(id), id).toBe(true);
  for (const id of ["", long(129), "a b", "😀", "\u0000"]) expect(isItemId(id), id).toBe(false);
});
