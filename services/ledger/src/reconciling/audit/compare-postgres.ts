import { type AuditSnapshot, couponStates, type FactTable, type SerialRange } from "@coupon/database";
import type { Discount } from "@coupon/domain";
import type { CouponTable } from "./coupon-table.ts";
import type { Finding, FindingKind } from "./finding.ts";
import {
  deactivationText,
  holdText,
  mark,
  redemptionText,
  releaseText,
  reversalText,
  rowText,
  setMark,
} from "./prints.ts";

const SERIALS_END = 2 ** 31 - 1;

/**
 * Compares the tables of a snapshot with the log, which has been walked exactly as far. Coupons that are older than
 * the log get what the tables say, for Redis to be compared with.
 *
 * @param issued how many coupons the shard has issued by the snapshot's entry
 * @param isLast whether the range is the shard's last: rows beyond it are looked for, too
 */
export async function comparePostgres(
  snapshot: AuditSnapshot,
  table: CouponTable,
  at: { number: number; issued: number; isLast: boolean },
  report: (finding: Finding) => void,
): Promise<void> {
  const { range } = table;
  const older = (index: number): boolean => index + range.from < Math.min(table.toldFrom, at.issued);
  table.clearOlder();
  const whole: SerialRange = { ...range, to: at.isLast ? SERIALS_END : range.to };
  const say = (serial: number, kind: FindingKind, expected: unknown, found: unknown) =>
    report({
      ...{ batch: range.batch, shard: range.shard, serial, store: "postgresql", kind, number: at.number },
      ...{ expected, found },
    });
  // Of a coupon whose state differs only that is said at first; its facts follow with it.
  const otherStates = new Map<number, number>();
  await snapshot.coupons(whole, (serial, state, rest) => {
    const index = serial - range.from;
    if (serial >= at.issued || !table.has(serial)) return say(serial, "unexpected", null, { state });
    table.rowsSeen[index] = 1;
    if (older(index)) {
      const [keyHash = "", , , userId = ""] = rest.split("\t");
      table.state[index] = state;
      table.place(serial, userId, keyHash);
      return;
    }
    mark(table.rows, index, rest);
    if (table.state[index] !== state && otherStates.size < OTHERS_MAX) otherStates.set(serial, state);
  });
  for (const name of FACTS) {
    await snapshot.facts(name, whole, (columns) => {
      const serial = Number(columns[0]);
      const index = serial - range.from;
      if (serial >= at.issued || !table.has(serial)) return say(serial, "unexpected", null, { [name]: columns });
      takeFact[name](table, index, columns, older(index));
    });
  }
  for (let index = 0; index < Math.min(table.count, at.issued - range.from); index += 1) {
    const serial = index + range.from;
    if (table.rowsSeen[index] === 0) say(serial, "missing", "a row", null);
    else if (otherStates.has(serial)) {
      say(serial, "state", nameOfState(table.state[index]), nameOfState(otherStates.get(serial)));
    } else if (!older(index) && differs(table, index)) say(serial, "facts", null, null);
  }
}

const OTHERS_MAX = 100_000;
const FACTS: FactTable[] = ["hold", "redemption", "reversal", "release", "deactivation"];

/** The log's prints less PostgreSQL's leave the hold's: it alone is replaced in the course of time. */
function differs({ rows, holdRow }: CouponTable, index: number): boolean {
  return rows[2 * index] !== holdRow[2 * index] || rows[2 * index + 1] !== holdRow[2 * index + 1];
}

export function nameOfState(state: number | undefined): string {
  return Object.entries(couponStates).find(([, code]) => code === state)?.[0] ?? `unknown (${state})`;
}

/** Puts a row's print to the coupon's; where the log does not go back as far, the row is what Redis must have. */
const takeFact: Record<FactTable, (table: CouponTable, index: number, columns: string[], older: boolean) => void> = {
  hold(table, index, [, caller, order, payload = "", lockedAtMs = "", untilMs, discount], older) {
    const fact = { order: `${caller}/${order}`, payload, untilMs: Number(untilMs), discount: parseDiscount(discount) };
    const text = holdText(fact);
    if (older) {
      setMark(table.hold, index, text);
      setMark(table.holdRow, index, rowText(text, lockedAtMs));
    } else mark(table.rows, index, rowText(text, lockedAtMs));
  },
  redemption(table, index, columns, older) {
    const [, number = "", caller, order, payload = "", at, discount, currency = "", lines] = columns;
    const fact = { order: `${caller}/${order}`, payload, redeemedAtMs: Number(at) };
    const text = redemptionText({ ...fact, discount: discountOf(discount, currency, lines) });
    if (older) mark(table.record, index, text);
    else mark(table.rows, index, rowText(text, number));
  },
  reversal(table, index, columns, older) {
    const [, number = "", caller, order, reversalId = "", keyHash = "", payload = "", reason = "", at] = columns;
    const [discount, remaining, currency = "", lines, restored] = columns.slice(9);
    const text = reversalText({
      ...{ order: `${caller}/${order}`, keyHash, payload, reversalId, reversedAtMs: Number(at) },
      ...{ remaining: Number(remaining), restored: restored === "t" },
      reversed: discountOf(discount, currency, lines),
    });
    if (older) mark(table.record, index, text);
    else mark(table.rows, index, rowText(text, number, reason));
  },
  release(table, index, [, number, caller, order, at, held], older) {
    if (!older) mark(table.rows, index, releaseText(Number(number), `${caller}/${order}`, Number(at), held === "t"));
  },
  deactivation(table, index, [, number, reason = "", at], older) {
    if (!older) mark(table.rows, index, deactivationText(Number(number), reason, Number(at)));
  },
};

function discountOf(discount: string | undefined, currency: string, lines: string | undefined): Discount {
  return { discount: Number(discount), currency, lines: parse<Discount["lines"]>(lines) ?? [] };
}

function parseDiscount(text: string | undefined): Discount {
  return parse<Discount>(text) ?? { discount: Number.NaN, currency: "", lines: [] };
}

function parse<Value>(text: string | undefined): Value | null {
  return text === undefined ? null : (JSON.parse(text) as Value);
}
