import { expect, test } from "vitest";
import { createKeys } from "../src/testing.ts";

const keys = createKeys("coupon");
const at = { batch: 12, shard: 3 };

test("every key of a shard has the shard's one hash tag", () => {
  expect(keys.header(at)).toBe("coupon{12.3}:h");
  expect(keys.outbox(at)).toBe("coupon{12.3}:o");
  expect(keys.timeIndex(at)).toBe("coupon{12.3}:t");
  expect(keys.bucketStem(at)).toBe("coupon{12.3}:u");
  expect(keys.bucket(at, 71)).toBe("coupon{12.3}:u1z");
  expect(keys.page(at, 2)).toBe("coupon{12.3}:s2");
  expect(keys.pageOf(at, 4_095)).toBe("coupon{12.3}:s0");
  expect(keys.pageOf(at, 4_096)).toBe("coupon{12.3}:s1");
  expect(keys.record(at, 4_096)).toBe("coupon{12.3}:c4096");
});

test("leases share a tag of their own, orders one of 64 with their mark", () => {
  expect(keys.members()).toBe("coupon{leases}:m");
  expect(keys.owners()).toBe("coupon{leases}:p");
  expect(keys.order("Zm9v")).toBe("coupon{oZ}:Zm9v");
  expect(keys.orderMark("Z")).toBe("coupon{oZ}:m");
});

test("a prefix that would move the hash tag is refused", () => {
  expect(() => createKeys("a{b}")).toThrow(TypeError);
  expect(() => createKeys("")).toThrow(TypeError);
});
