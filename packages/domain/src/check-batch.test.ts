import { describe, expect, it } from "vitest";
import { type BatchDescription, checkBatch } from "./check-batch.ts";
import { greatestLiability } from "./discount.ts";
import type { Template } from "./model.ts";

type Parts = Pick<Template, "benefit" | "validity">;

const template: Parts = {
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  validity: { days: 7, mode: "calendar" },
};
const good: BatchDescription = {
  campaignId: "cmp_1",
  templateId: "tpl_1",
  name: "Singles' Day",
  stock: { total: 100_000, perDay: 10_000, perUser: 5, perUserPerDay: 1 },
  issueWindow: { from: "2026-11-01T00:00:00Z", until: "2026-12-01T00:00:00Z" },
  callers: [
    { callerId: "clr_1", may: ["issue", "redeem", "reverse", "read"] },
    { callerId: "clr_2", may: ["read"] },
  ],
  funding: [
    { party: "brand", basisPoints: 7_000 },
    { party: "platform", basisPoints: 3_000 },
  ],
  timeZone: "Asia/Shanghai",
  shards: 1,
};
const pointers = (change: Partial<BatchDescription>, of: Parts = template) =>
  checkBatch({ ...good, ...change }, of).map(({ pointer }) => pointer);
const stock = (change: Partial<BatchDescription["stock"]>) => ({ stock: { ...good.stock, ...change } });

describe("checkBatch", () => {
  it("finds nothing wrong with good batches", () => {
    const { shards: _, funding: __, ...bare } = good;
    expect(checkBatch(good, template)).toEqual([]);
    expect(checkBatch({ ...bare, stock: { total: 1, perUser: 1 } }, template)).toEqual([]);
    expect(pointers({ stock: { total: 1_024, perUser: 1 }, shards: 1_024 })).toEqual([]);
    expect(pointers({ funding: [], callers: [] })).toEqual([]);
  });

  it.each<[string, Partial<BatchDescription>, string[]]>([
    ["a blank name", { name: "" }, ["/name"]],
    ["no stock", { ...stock({ total: 0, perDay: 1 }), shards: 1 }, ["/shards", "/stock/total"]],
    ["stock that is no integer", { ...stock({ total: 20_000.5 }) }, ["/stock/total"]],
    ["more a day than in total", stock({ perDay: 100_001 }), ["/stock/perDay"]],
    ["none a day", { ...stock({ perDay: 0 }), shards: 1 }, ["/stock/perDay"]],
    ["none a user", stock({ perUser: 0, perUserPerDay: 1 }), ["/stock/perUser"]],
    ["too many a user", stock({ perUser: 1_001 }), ["/stock/perUser"]],
    ["more a user a day than a user", stock({ perUserPerDay: 6 }), ["/stock/perUserPerDay"]],
    ["0 shards", { shards: 0 }, ["/shards"]],
    ["too many shards", { shards: 1_025 }, ["/shards"]],
    ["more shards than stock", { ...stock({ total: 10, perDay: 10 }), shards: 11 }, ["/shards", "/shards"]],
    ["several shards where the day is limited", { shards: 2 }, ["/shards"]],
    [
      "a window that ends before it starts",
      { issueWindow: { from: good.issueWindow.until, until: good.issueWindow.from } },
      ["/issueWindow/until"],
    ],
    [
      "times that are none",
      { issueWindow: { from: "today", until: "2026-12-01" } },
      ["/issueWindow/from", "/issueWindow/until"],
    ],
    [
      "a window that no coupon id reaches",
      { issueWindow: { from: "2023-12-31T23:59:59Z", until: "2058-02-01T00:00:00Z" } },
      ["/issueWindow/from", "/issueWindow/until"],
    ],
    ["a caller twice", { callers: [...good.callers, { callerId: "clr_1", may: ["read"] }] }, ["/callers/2/callerId"]],
    ["a caller who may nothing", { callers: [{ callerId: "clr_1", may: [] }] }, ["/callers/0/may"]],
    ["a right twice", { callers: [{ callerId: "clr_1", may: ["read", "read"] }] }, ["/callers/0/may/1"]],
    ["funding that does not add up", { funding: [{ party: "brand", basisPoints: 9_999 }] }, ["/funding"]],
    [
      "a share of 0",
      {
        funding: [
          { party: "a", basisPoints: 10_000 },
          { party: "b", basisPoints: 0 },
        ],
      },
      ["/funding/1/basisPoints"],
    ],
    [
      "a share below 0",
      {
        funding: [
          { party: "a", basisPoints: 10_001 },
          { party: "b", basisPoints: -1 },
        ],
      },
      ["/funding/0/basisPoints", "/funding/1/basisPoints"],
    ],
    [
      "a party twice",
      {
        funding: [
          { party: "a", basisPoints: 5_000 },
          { party: "a", basisPoints: 5_000 },
        ],
      },
      ["/funding/1/party"],
    ],
    ["a zone that does not exist", { timeZone: "Europe/Atlantis" }, ["/timeZone"]],
  ])("finds %s", (_, change, expected) => {
    expect(pointers(change)).toEqual(expected);
  });

  it("finds more stock than its shards have serials for", () => {
    const cheap: Parts = { ...template, benefit: { kind: "amount_off", amount: 1, currency: "CNY" } };
    const most = 2 ** 30 - 1;
    expect(pointers({ stock: { total: 2 * most, perUser: 1 }, shards: 2 }, cheap)).toEqual([]);
    expect(pointers({ stock: { total: 2 * most + 1, perUser: 1 }, shards: 2 }, cheap)).toEqual(["/stock/total"]);
  });

  it("finds a liability beyond the safe integers, so that greatestLiability never throws", () => {
    const dear: Parts = { ...template, benefit: { kind: "amount_off", amount: 1_000_000_000_000, currency: "CNY" } };
    const at = (total: number) => pointers({ ...stock({ total, perDay: 1_000 }) }, dear);
    expect(at(9_007)).toEqual([]);
    expect(greatestLiability(dear, 9_007).amount).toBe(9_007_000_000_000_000);
    expect(at(9_008)).toEqual(["/stock/total"]);
  });

  it("finds a fixed validity that is over before anything is issued", () => {
    const over = (until: string): Parts => ({ ...template, validity: { from: "2026-10-01T00:00:00Z", until } });
    expect(pointers({}, over("2026-11-01T00:00:00Z"))).toEqual(["/issueWindow/from"]);
    expect(pointers({}, over("2026-11-01T00:00:01Z"))).toEqual([]);
  });

  it("points from where the batch stands in the request", () => {
    expect(checkBatch({ ...good, name: "" }, template, "/batch").map(({ pointer }) => pointer)).toEqual([
      "/batch/name",
    ]);
  });
});
