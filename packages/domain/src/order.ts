import { hash } from "node:crypto";
import type { FieldError } from "./field-error.ts";
import { isItemId } from "./ids.ts";
import type { Order, OrderLine } from "./model.ts";
import { AMOUNT_MAX } from "./money.ts";

export const ORDER_LINES_MAX = 200;
export const LINE_QUANTITY_MAX = 1_000_000;
export const LINE_CATEGORIES_MAX = 50;

/**
 * What is wrong with an order whose shape and types have been checked; empty where nothing is. A good
 * order has 1–200 lines with ids of their own, quantities of 1–1,000,000 and unit amounts of 0–10¹²,
 * and its amount is exactly Σ quantity × unitAmount, a safe integer.
 *
 * @param base JSON pointer of the order in the request, "" for the request itself
 */
export function checkOrder(order: Order, base = ""): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (pointer: string, message: string) => errors.push({ pointer: base + pointer, message });
  if (!/^[A-Z]{3}$/.test(order.currency)) refuse("/currency", "is not an ISO 4217 code");
  if (order.lines.length < 1 || order.lines.length > ORDER_LINES_MAX) {
    refuse("/lines", `has 1 to ${ORDER_LINES_MAX} lines`);
    return errors;
  }
  const seen = new Set<string>();
  let amount: number | null = 0;
  for (const [index, line] of order.lines.entries()) {
    const wrong = checkLine(line, seen);
    seen.add(line.lineId);
    for (const error of wrong) refuse(`/lines/${index}${error.pointer}`, error.message);
    amount = amount === null || wrong.length > 0 ? null : addLine(amount, line);
  }
  if (!isAmount(order.amount)) refuse("/amount", "is not an integer from 0 to 2^53 - 1");
  else if (errors.length === 0 && amount !== order.amount) {
    refuse("/amount", amount === null ? "is too large" : `is not the sum of quantity × unitAmount, ${amount}`);
  }
  return errors;
}

/** quantity × unitAmount of a checked line. */
export function lineAmount(line: OrderLine): number {
  return line.quantity * line.unitAmount;
}

/**
 * A hash of what an order says, 16 hexadecimal digits: the same however its JSON was written (order of
 * members, white space, order of a line's categories), another when any value or the order of lines
 * differs. For telling a repeat from a conflict, not against forgery.
 */
export function orderPayloadHash(order: Order): string {
  const lines = order.lines.map((line) => [
    line.lineId,
    line.productId,
    distinct(line.categoryIds),
    line.sellerId ?? null,
    line.quantity,
    line.unitAmount,
  ]);
  return payloadHash([order.amount, order.currency, lines]);
}

function distinct(ids: readonly string[] = []): readonly string[] {
  return ids.length < 2 ? ids : [...new Set(ids)].sort();
}

/** First 16 hexadecimal digits of the SHA-256 of a value's JSON; the value holds arrays, not objects. */
export function payloadHash(value: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(value), "hex").slice(0, 16);
}

function checkLine(line: OrderLine, seen: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  if (!isItemId(line.lineId)) errors.push({ pointer: "/lineId", message: itemIdMessage });
  else if (seen.has(line.lineId)) errors.push({ pointer: "/lineId", message: "is the id of an earlier line" });
  if (!isItemId(line.productId)) errors.push({ pointer: "/productId", message: itemIdMessage });
  if (line.sellerId !== undefined && !isItemId(line.sellerId)) {
    errors.push({ pointer: "/sellerId", message: itemIdMessage });
  }
  const categoryIds = line.categoryIds ?? [];
  if (categoryIds.length > LINE_CATEGORIES_MAX) {
    errors.push({ pointer: "/categoryIds", message: `has at most ${LINE_CATEGORIES_MAX} ids` });
  }
  for (const [index, id] of categoryIds.slice(0, LINE_CATEGORIES_MAX).entries()) {
    if (!isItemId(id)) errors.push({ pointer: `/categoryIds/${index}`, message: itemIdMessage });
  }
  if (!Number.isInteger(line.quantity) || line.quantity < 1 || line.quantity > LINE_QUANTITY_MAX) {
    errors.push({ pointer: "/quantity", message: `is not an integer from 1 to ${LINE_QUANTITY_MAX}` });
  }
  if (!Number.isInteger(line.unitAmount) || line.unitAmount < 0 || line.unitAmount > AMOUNT_MAX) {
    errors.push({ pointer: "/unitAmount", message: `is not an integer from 0 to ${AMOUNT_MAX}` });
  }
  return errors;
}

const itemIdMessage = "is not 1 to 128 visible ASCII characters";

/** The sum so far and this line's amount; null beyond the safe integers. */
function addLine(amount: number, line: OrderLine): number | null {
  // Both steps round monotonically, so a result within the safe integers is exact.
  const sum = amount + lineAmount(line);
  return sum <= Number.MAX_SAFE_INTEGER ? sum : null;
}

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
