import type { Discount } from "@coupon/domain";
import { plain } from "./quoted.ts";
import type { CouponRecord, RedemptionRecord, ReversalRecord } from "./shard-calls.ts";

const STATES = { e: "effective", l: "locked", r: "redeemed", d: "deactivated" } as const;
const LETTERS = { effective: "e", locked: "l", redeemed: "r", deactivated: "d" } as const;

/** What the two bits of a coupon with this record are. */
export function bitsOf({ state }: CouponRecord): number {
  if (state === "redeemed") return 2;
  return state === "deactivated" ? 3 : 1;
}

/** Reads the fields that includes/coupon.lua names. */
export function parseRecord(flat: readonly string[]): { version: number; record: CouponRecord } {
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] as string, flat[i + 1] as string);
  const record: CouponRecord = {
    userId: fields.get("u") ?? "",
    state: STATES[(fields.get("s") ?? "e") as keyof typeof STATES],
    redemptions: [],
    released: [],
  };
  const order = fields.get("o");
  if (order !== undefined) {
    record.hold = {
      order,
      payload: fields.get("p") ?? "",
      untilMs: Number(fields.get("t")),
      discount: JSON.parse(fields.get("d") ?? "") as Discount,
    };
  }
  const reversals: { order: string; reversal: ReversalRecord }[] = [];
  for (const [field, value] of fields) {
    if (field.startsWith("h:")) record.redemptions.push(parseRedemption(field.slice(2), value));
    else if (field.startsWith("v:")) reversals.push(parseReversal(field.slice(2), value));
    else if (field.startsWith("x:")) record.released.push({ order: field.slice(2), untilMs: Number(value) });
  }
  record.redemptions.sort((a, b) => a.redeemedAtMs - b.redeemedAtMs);
  // What was reversed later leaves less; within a millisecond that alone tells the order.
  reversals.sort(
    (a, b) => a.reversal.reversedAtMs - b.reversal.reversedAtMs || b.reversal.remaining - a.reversal.remaining,
  );
  for (const { order: of, reversal } of reversals) {
    record.redemptions.find((one) => one.order === of)?.reversals.push(reversal);
  }
  return { version: Number(fields.get("w") ?? 0), record };
}

function parseRedemption(order: string, value: string): RedemptionRecord {
  const [payload = "", redeemedAtMs, discount = ""] = value.split("\n");
  return {
    order,
    payload,
    redeemedAtMs: Number(redeemedAtMs),
    discount: JSON.parse(discount) as Discount,
    reversals: [],
  };
}

function parseReversal(keyHash: string, value: string): { order: string; reversal: ReversalRecord } {
  const [order = "", payload = "", reversalId = "", reversedAtMs, remaining, restored, reversed = ""] =
    value.split("\n");
  return {
    order,
    reversal: {
      keyHash,
      payload,
      reversalId,
      reversedAtMs: Number(reversedAtMs),
      reversed: JSON.parse(reversed) as Discount,
      remaining: Number(remaining),
      restored: restored === "1",
    },
  };
}

/** The fields of a record but its version, which is given where it is written. */
export function packRecord(record: CouponRecord): string[] {
  const fields = ["s", LETTERS[record.state], "u", record.userId];
  const { hold } = record;
  if (hold !== undefined && record.state === "locked") {
    const payload = plain(hold.payload, "a payload hash");
    fields.push("o", hold.order, "p", payload, "t", `${hold.untilMs}`, "d", JSON.stringify(hold.discount));
  }
  for (const { order, payload, redeemedAtMs, discount, reversals } of record.redemptions) {
    fields.push(`h:${order}`, `${plain(payload, "a payload hash")}\n${redeemedAtMs}\n${JSON.stringify(discount)}`);
    for (const one of reversals) {
      const { reversalId, reversedAtMs, remaining, restored, reversed } = one;
      const values = [
        order,
        one.payload,
        reversalId,
        reversedAtMs,
        remaining,
        restored ? 1 : 0,
        JSON.stringify(reversed),
      ];
      fields.push(`v:${one.keyHash}`, values.join("\n"));
    }
  }
  for (const { order, untilMs } of record.released) fields.push(`x:${order}`, `${untilMs}`);
  return fields;
}
