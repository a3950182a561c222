import { expect, it } from "vitest";
import { checkTemplate } from "./check-template.ts";
import type { Template } from "./model.ts";

const good: Template = {
  name: "Ten off",
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  minimumSpend: { amount: 5_000, currency: "CNY" },
  validity: { days: 7, delayDays: 0, mode: "calendar" },
  timeZone: "Asia/Shanghai",
  scope: { productIds: ["p1", "p2"], categoryIds: ["c"] },
  refundPolicy: "restore",
};
const percent = (basisPointsOff: number, maxAmount = 100): Partial<Template> => ({
  benefit: { kind: "percent_off", basisPointsOff, maxAmount, currency: "CNY" },
});
const pointers = (change: Partial<Template>) => checkTemplate({ ...good, ...change }).map(({ pointer }) => pointer);

it("finds nothing wrong with good templates", () => {
  expect(checkTemplate(good)).toEqual([]);
  for (const change of [
    percent(1),
    percent(10_000, 1_000_000_000_000),
    { validity: { from: "2026-01-01T00:00:00Z", until: "2026-01-01T00:00:00.001Z" } },
    { validity: { days: 3_650, delayDays: 3_650, mode: "rolling" } },
    { timeZone: "UTC" },
    { timeZone: "America/Argentina/Buenos_Aires" },
    { scope: {} },
    { name: "双十一 😀" },
    { name: "😀".repeat(200) },
  ] satisfies Partial<Template>[]) {
    expect(pointers(change), JSON.stringify(change)).toEqual([]);
  }
});

it.each<[string, Partial<Template>, string[]]>([
  ["a blank name", { name: "  " }, ["/name"]],
  ["a name with NUL", { name: "a\u0000" }, ["/name"]],
  ["a name with half a character", { name: "a\ud83d" }, ["/name"]],
  ["a long name", { name: "a".repeat(201) }, ["/name"]],
  ["a long name of characters outside the basic plane", { name: "😀".repeat(201) }, ["/name"]],
  ["an amount of 0", { benefit: { kind: "amount_off", amount: 0, currency: "CNY" } }, ["/benefit/amount"]],
  [
    "an amount that is no integer",
    { benefit: { kind: "amount_off", amount: 0.5, currency: "CNY" } },
    ["/benefit/amount"],
  ],
  ["too large an amount", { benefit: { kind: "amount_off", amount: 1e12 + 1, currency: "CNY" } }, ["/benefit/amount"]],
  [
    "a currency that does not exist",
    { benefit: { kind: "amount_off", amount: 1, currency: "ZZZ" } },
    ["/benefit/currency", "/minimumSpend/currency"],
  ],
  ["0 basis points", percent(0), ["/benefit/basisPointsOff"]],
  ["more than all", percent(10_001), ["/benefit/basisPointsOff"]],
  ["a maximum of 0", percent(100, 0), ["/benefit/maxAmount"]],
  ["a minimum in another currency", { minimumSpend: { amount: 1, currency: "USD" } }, ["/minimumSpend/currency"]],
  ["a minimum of 0", { minimumSpend: { amount: 0, currency: "CNY" } }, ["/minimumSpend/amount"]],
  [
    "a window that ends before it starts",
    { validity: { from: "2026-01-02T00:00:00Z", until: "2026-01-01T00:00:00Z" } },
    ["/validity/until"],
  ],
  [
    "a window of no length",
    { validity: { from: "2026-01-01T00:00:00Z", until: "2026-01-01T00:00:00Z" } },
    ["/validity/until"],
  ],
  [
    "times that are none",
    { validity: { from: "2026-02-30T00:00:00Z", until: "soon" } },
    ["/validity/from", "/validity/until"],
  ],
  ["0 days", { validity: { days: 0, mode: "rolling" } }, ["/validity/days"]],
  ["half a day", { validity: { days: 0.5, mode: "rolling" } }, ["/validity/days"]],
  ["a delay below 0", { validity: { days: 1, delayDays: -1, mode: "calendar" } }, ["/validity/delayDays"]],
  ["a zone that does not exist", { timeZone: "Mars/Olympus" }, ["/timeZone"]],
  ["an offset for a zone", { timeZone: "+08:00" }, ["/timeZone"]],
  ["an empty list in the scope", { scope: { productIds: [] } }, ["/scope/productIds"]],
  [
    "too long a list",
    { scope: { sellerIds: Array.from({ length: 1_001 }, (_, index) => `${index}`) } },
    ["/scope/sellerIds"],
  ],
  ["an id twice", { scope: { categoryIds: ["a", "b", "a"] } }, ["/scope/categoryIds/2"]],
  ["an id that can't be one", { scope: { productIds: ["a", "\u0000"] } }, ["/scope/productIds/1"]],
])("finds %s", (_, change, expected) => {
  expect(pointers(change)).toEqual(expected);
});

it("points from where the template stands in the request", () => {
  expect(checkTemplate({ ...good, name: "" }, "/template").map(({ pointer }) => pointer)).toEqual(["/template/name"]);
});
