import { refusals } from "@coupon/domain";
import { expect, test } from "vitest";
import { arrivalsOf, checkProfile, profileNames, readProfile, secondsOf } from "./profile.ts";

test("the four profiles are there and within their bounds", () => {
  expect(profileNames().sort()).toEqual(["ramp", "smoke", "soak", "spike"]);
  for (const name of profileNames()) {
    const profile = readProfile(name);
    for (const code of profile.expectedRefusals) expect(refusals).toHaveProperty(code);
  }
});

test("an unknown profile is refused with the names that there are", () => {
  expect(() => readProfile("storm")).toThrow(/no profile storm; there are: .*smoke/);
});

test("arrivals are the area under the rate", () => {
  const profile = readProfile("smoke");
  expect(secondsOf(profile)).toBe(30);
  expect(arrivalsOf(profile)).toBe(125 * 10 + 200 * 20);
  expect(arrivalsOf(profile)).toBeGreaterThan(profile.stock.total);
});

test("a profile without bounds, stock or thresholds is refused", () => {
  const profile = readProfile("smoke");
  const faultsOf = (change: object) => checkProfile({ ...profile, ...change });
  expect(faultsOf({})).toEqual([]);
  expect(faultsOf({ stages: [{ perSecond: 1, seconds: 3_601 }] })).toEqual(["it takes longer than 3600 s"]);
  expect(faultsOf({ stages: [{ perSecond: 1_000, seconds: 3_600 }] })).toEqual(["it has more than 1000000 arrivals"]);
  expect(faultsOf({ stages: [] })).toEqual(["it has no stage"]);
  expect(faultsOf({ repeatShare: 1.1 })).toEqual(["a share is from 0 to 1"]);
  expect(faultsOf({ stock: { total: 0, perUser: 1 } })).toEqual(["it has no stock"]);
  expect(faultsOf({ thresholds: {} })).toHaveLength(2);
});
