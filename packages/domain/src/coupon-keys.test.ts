import { expect, it } from "vitest";
import { parseCouponKeys } from "./coupon-keys.ts";

const good = Buffer.alloc(32, 9).toString("base64");

it("reads the keys by version", () => {
  const keys = parseCouponKeys(JSON.stringify({ 1: good, 31: Buffer.alloc(32, 1).toString("base64") }));
  expect([...keys.keys()]).toEqual([1, 31]);
  expect(keys.get(1)).toEqual(new Uint8Array(32).fill(9));
});

it("says what is wrong and never quotes a key", () => {
  const secret = "c2VjcmV0";
  const wrong: [string, string][] = [
    [`{"1": "${secret}`, "coupon keys: not JSON"],
    [`["${good}"]`, "coupon keys: not a JSON map of version to key"],
    ["null", "coupon keys: not a JSON map of version to key"],
    ["{}", "coupon keys: there is none"],
    [`{"0": "${good}"}`, "coupon keys: a key version is a number from 1 to 31"],
    [`{"32": "${good}"}`, "coupon keys: a key version is a number from 1 to 31"],
    [`{"01": "${good}"}`, "coupon keys: a key version is a number from 1 to 31"],
    [`{"1": "${secret}"}`, "coupon keys: the key of version 1 is not base64 of 32 bytes"],
    [`{"1": 5}`, "coupon keys: the key of version 1 is not base64 of 32 bytes"],
    [`{"1": "${Buffer.alloc(33).toString("base64")}"}`, "coupon keys: the key of version 1 is not base64 of 32 bytes"],
  ];
  for (const [json, message] of wrong) expect(() => parseCouponKeys(json), json).toThrow(new Error(message));
});
