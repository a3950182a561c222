/// <reference lib="esnext.temporal" />
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { judgeDiscount } from "./discount.ts";
import type { Benefit, Discount, Order, Validity } from "./model.ts";
import { allocate } from "./money.ts";
import { judgeReversal, type ReversalAsk, type ReversibleRedemption } from "./reversal.ts";
import { couponWindow } from "./validity.ts";

/** Runs the worked examples of the page: every row of its tables, found by the header of the table. */
const page = readFileSync(new URL("../../../docs/money-and-time.md", import.meta.url), "utf8");

function rowsUnder(...header: string[]): string[][] {
  const lines = page.split("\n");
  const start = lines.indexOf(`| ${header.join(" | ")} |`);
  if (start < 0) throw new Error(`the page has no table of ${header.join(", ")}`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith("| ")) break;
    rows.push(line.slice(2, -2).split(" | "));
  }
  if (rows.length === 0) throw new Error(`the table of ${header.join(", ")} is empty`);
  return rows;
}

function matched(text: string, pattern: RegExp): string[] {
  const found = pattern.exec(text);
  if (found === null) throw new Error(`the page says ${text}, which no test understands`);
  return found.slice(1);
}

function benefitOf(text: string): Benefit {
  if (text.includes("%")) {
    const [percent, most] = matched(text, /^([\d.]+) % off, at most (\d+)$/);
    return {
      kind: "percent_off",
      basisPointsOff: Math.round(Number(percent) * 100),
      maxAmount: Number(most),
      currency: "CNY",
    };
  }
  const [amount] = matched(text, /^(\d+) off$/);
  return { kind: "amount_off", amount: Number(amount), currency: "CNY" };
}

function discountOn(benefit: string, inScope: number, outOfScope: number, minimum?: number): string {
  const order: Order = {
    amount: inScope + outOfScope,
    currency: "CNY",
    lines: [
      { lineId: "1", productId: "in", quantity: 1, unitAmount: inScope },
      { lineId: "2", productId: "out", quantity: 1, unitAmount: outOfScope },
    ],
  };
  const terms = { benefit: benefitOf(benefit), scope: { productIds: ["in"] } };
  const minimumSpend = { amount: minimum ?? 0, currency: "CNY" };
  const judged = judgeDiscount(minimum === undefined ? terms : { ...terms, minimumSpend }, order);
  return judged.kind === "discount" ? String(judged.discount.discount) : judged.kind;
}

describe("docs/money-and-time.md", () => {
  it.each(rowsUnder("benefit", "subtotal in scope", "discount"))("%s on %s is %s", (benefit, subtotal, discount) => {
    expect(discountOn(benefit as string, Number(subtotal), 0)).toBe(discount);
  });

  it.each(rowsUnder("benefit", "minimum spend", "in scope", "out of scope", "discount"))(
    "%s from %s on %s and %s is %s",
    (benefit, minimum, inScope, outOfScope, discount) => {
      expect(discountOn(benefit as string, Number(inScope), Number(outOfScope), Number(minimum))).toBe(discount);
    },
  );

  it.each(rowsUnder("discount", "line amounts in scope", "parts"))("%s over %s is %s", (discount, amounts, parts) => {
    expect(allocate(Number(discount), (amounts as string).split(", ").map(Number)).join(", ")).toBe(parts);
  });

  it.each(rowsUnder("redeemed", "reversals", "given back each time", "left"))(
    "%s, reversed by %s, gives %s",
    (redeemed, reversals, given, left) => {
      const discount = redemptionOf(redeemed as string);
      let redemption: ReversibleRedemption = { discount, reversals: [] };
      let remaining = discount.discount;
      const answers = (reversals as string).split("; ").map((step) => {
        const judged = judgeReversal(redemption, askOf(step));
        if (judged.kind !== "reversed") return judged.kind;
        redemption = { discount, reversals: [...redemption.reversals, judged] };
        remaining = judged.remaining;
        return judged.reversed.discount;
      });
      expect(answers.join("; ")).toBe(given);
      expect(String(remaining)).toBe(left);
    },
  );

  it.each(rowsUnder("time zone", "validity", "issued", "valid from", "valid until"))(
    "%s: %s, issued %s",
    (timeZone, validity, issued, validFrom, validUntil) => {
      const template = { validity: validityOf(validity as string), timeZone: timeZone as string };
      const window = couponWindow(template, Date.parse(issued as string) / 1_000);
      const local = (ms: number) =>
        Temporal.Instant.fromEpochMilliseconds(ms)
          .toZonedDateTimeISO(template.timeZone)
          .toString({ timeZoneName: "never" });
      expect([local(window.validFromMs), local(window.validUntilMs)]).toEqual([validFrom, validUntil]);
    },
  );
});

function redemptionOf(text: string): Discount {
  const lines = text.split(", ").map((part) => {
    const [quantity, lineId, discount] = matched(part, /^(\d+) of (\w) @ (\d+)$/) as [string, string, string];
    return { lineId, quantity: Number(quantity), discount: Number(discount) };
  });
  return { discount: lines.reduce((sum, line) => sum + line.discount, 0), currency: "CNY", lines };
}

function askOf(text: string): ReversalAsk {
  if (text === "all") return { all: true };
  const [quantity, lineId] = matched(text, /^(\d+) of (\w)$/) as [string, string];
  return { lines: [{ lineId, quantity: Number(quantity) }] };
}

function validityOf(text: string): Validity {
  const [days, mode, delay] = matched(text, /^(\d+) (calendar|rolling) days?(?: after (\d+))?$/);
  const kind = mode === "calendar" ? "calendar" : "rolling";
  return delay === undefined
    ? { days: Number(days), mode: kind }
    : { days: Number(days), delayDays: Number(delay), mode: kind };
}
