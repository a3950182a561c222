import { expect, test } from "vitest";
import { type LoggedRequest, parseLoggedRequest } from "./logged-request.ts";
import { isClean, judge, type Verdict } from "./verdict.ts";

const stock = { total: 3, perUser: 1 };

function claim(key: string, userId: string, couponId: string, rest: Partial<LoggedRequest> = {}): LoggedRequest {
  const outcome = couponId === "" ? "refused" : "success";
  const base = { operation: "claim", requestId: `r-${key}`, key, userId, couponId } as const;
  return { ...base, status: outcome === "success" ? 201 : 409, code: "", outcome, ...rest };
}

function redeem(key: string, userId: string, couponId: string, rest: Partial<LoggedRequest> = {}): LoggedRequest {
  return { ...claim(key, userId, couponId), operation: "redeem", status: 200, ...rest };
}

const unknown = { status: 0, outcome: "unknown" } as const;

const requests = [
  claim("k1", "ann", "c1"),
  claim("k1", "ann", "c1", { status: 200 }),
  claim("k2", "ann", ""),
  claim("k3", "bob", "c2"),
  claim("k4", "eve", "", unknown),
  redeem("o1", "ann", "c1"),
  redeem("o2", "bob", "c2", unknown),
];
const issued = [
  { couponId: "c1", userId: "ann" },
  { couponId: "c2", userId: "bob" },
  { couponId: "c3", userId: "eve" },
];
const redeemed = [
  { couponId: "c1", userId: "ann", orderId: "o1" },
  { couponId: "c2", userId: "bob", orderId: "o2" },
];

const found = ({ lost, phantom, duplicate, oversold }: Verdict) => ({ lost, phantom, duplicate, oversold });
const clean = { lost: 0, phantom: 0, duplicate: 0, oversold: 0 };

test("is clean where everything acknowledged is there, and an unknown outcome may have happened or not", () => {
  const verdict = judge(requests, issued, redeemed, stock);
  expect(verdict).toMatchObject({ ...clean, requests: 7, acknowledged: 4, unknown: 2, findings: [] });
  expect(isClean(verdict)).toBe(true);
  expect(isClean(judge(requests, issued.slice(0, 2), redeemed.slice(0, 1), stock))).toBe(true);
});

test("finds a coupon that was acknowledged and is not there, or is another user's", () => {
  const verdict = judge(requests, issued.slice(1), redeemed, stock);
  expect(found(verdict)).toEqual({ ...clean, lost: 1 });
  expect(verdict.findings[0]).toContain("coupon c1 of claim k1 by ann");
  expect(isClean(verdict)).toBe(false);
  const swapped = [{ couponId: "c1", userId: "zoe" }, ...issued.slice(1)];
  expect(judge(requests, swapped, redeemed, stock).lost).toBe(1);
});

test("finds a redemption that was acknowledged and is not there", () => {
  expect(found(judge(requests, issued, redeemed.slice(1), stock))).toEqual({ ...clean, lost: 1 });
});

test("finds a coupon that nobody asked for, and one that was refused", () => {
  const wide = { total: 9, perUser: 2 };
  const never = [...issued, { couponId: "c4", userId: "mallory" }];
  expect(found(judge(requests, never, redeemed, wide))).toEqual({ ...clean, phantom: 1 });
  const refused = [...issued, { couponId: "c4", userId: "ann" }];
  expect(found(judge(requests, refused, redeemed, wide))).toEqual({ ...clean, phantom: 1 });
});

test("one unknown claim explains one row, not two", () => {
  const twice = [...issued, { couponId: "c4", userId: "eve" }];
  expect(found(judge(requests, twice, redeemed, { total: 9, perUser: 2 }))).toEqual({ ...clean, phantom: 1 });
});

test("finds a redemption that nobody asked for", () => {
  const extra = [...redeemed, { couponId: "c3", userId: "eve", orderId: "o9" }];
  expect(found(judge(requests, issued, extra, stock))).toEqual({ ...clean, phantom: 1 });
});

test("finds one key with two coupons, one coupon for two keys, and a row that is there twice", () => {
  const twoCoupons = [...requests, claim("k3", "bob", "c3")].filter((it) => it.userId !== "eve");
  const rows = [...issued.slice(0, 2), { couponId: "c3", userId: "bob" }];
  expect(found(judge(twoCoupons, rows, redeemed, { total: 3, perUser: 2 }))).toEqual({ ...clean, duplicate: 1 });
  const twoKeys = [...requests, claim("k9", "bob", "c2")];
  expect(found(judge(twoKeys, issued, redeemed, stock))).toEqual({ ...clean, duplicate: 1 });
  const twice = [...issued.slice(0, 2), { couponId: "c2", userId: "bob" }];
  expect(judge(requests, twice, redeemed, { total: 3, perUser: 2 }).duplicate).toBe(1);
});

test("finds a coupon that two orders redeemed", () => {
  const both = [...requests, redeem("o3", "ann", "c1")];
  const rows = [...redeemed, { couponId: "c1", userId: "ann", orderId: "o3" }];
  expect(found(judge(both, issued, rows, stock))).toEqual({ ...clean, duplicate: 1 });
});

test("finds what was issued beyond the stock and beyond a user's limit", () => {
  expect(found(judge(requests, issued, redeemed, { total: 2, perUser: 1 }))).toEqual({ ...clean, oversold: 1 });
  const more = [...requests, claim("k7", "bob", "c7")];
  const rows = [...issued, { couponId: "c7", userId: "bob" }];
  expect(found(judge(more, rows, redeemed, { total: 9, perUser: 1 }))).toEqual({ ...clean, oversold: 1 });
});

test("a line that is not a logged request is refused", () => {
  const line = JSON.stringify(requests[0]);
  expect(parseLoggedRequest(line)).toEqual(requests[0]);
  expect(() => parseLoggedRequest(line.replace("success", "fine"))).toThrow("Not a logged request");
  expect(() => parseLoggedRequest(line.slice(0, 20))).toThrow();
});
