import { encodeCouponId } from "@coupon/domain";
import { expect, test } from "vitest";
import { referCoupons } from "./rows.ts";
import { readTarget } from "./target.ts";

const stack = {
  issuing: "http://127.0.0.1:8080",
  campaigns: "http://127.0.0.1:8082",
  operatorToken: "o",
  approverToken: "a",
  caller: { id: "demo-shop", keyId: "live_demo_shop", secret: "c2VjcmV0" },
  databaseUrl: "postgres://127.0.0.1:8103/coupon",
  kafkaBrokers: "127.0.0.1:8101,127.0.0.1:8102",
};

test("reads the stack that npm start has written down", () => {
  expect(readTarget(JSON.stringify(stack))).toMatchObject({
    issuing: stack.issuing,
    kafkaBrokers: ["127.0.0.1:8101", "127.0.0.1:8102"],
    caller: stack.caller,
  });
});

test("makes no load on another machine", () => {
  const elsewhere = { ...stack, issuing: "https://coupons.example" };
  expect(() => readTarget(JSON.stringify(elsewhere))).toThrow("https://coupons.example is not on this machine");
});

test("names coupons by their place, and what is no coupon id by nothing that could be there", () => {
  const parts = { keyVersion: 1, batchNumber: 7, shard: 3, serial: 41, issuedAtSeconds: 1_800_000_000 };
  const couponId = encodeCouponId(parts, "ann", Buffer.alloc(32));
  const request = { operation: "claim", requestId: "", key: "k", userId: "ann", status: 201, code: "" } as const;
  const logged = [couponId, "", "forged"].map((it) => ({ ...request, couponId: it, outcome: "success" as const }));
  expect(referCoupons(logged).map((it) => it.couponId)).toEqual(["7.3.41", "", "no coupon id: forged"]);
});
