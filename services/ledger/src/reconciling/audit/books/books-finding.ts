import type { JournalLine } from "@coupon/database";
import type { BooksKind } from "../finding.ts";

/** A line that the journal must have, or that would set it right. */
export interface ExpectedLine
  extends Pick<JournalLine, "number" | "event" | "account" | "party" | "amount" | "coupons"> {
  /** Null: of the time at which it is posted. */
  atMs: number | null;
}

/** How a part of a shard's books differs from what it must be. */
export interface BooksFinding {
  kind: BooksKind;
  /** The coupon, where it is one. */
  serial: number | null;
  expected: unknown;
  found: unknown;
  /** Lines that would set the journal right; null where they can't be told, and nothing may be posted. */
  mend?: ExpectedLine[] | null;
}

/**
 * How lines are known that would set the journal right: from the log; only from other lines, so that they count where all of
 * the journal then comes to what the coupons say; not at all. A finding shows it, but for the first.
 */
export type Repair = "told" | "inferred" | "none";

export type ReportBooks = (finding: BooksFinding) => void;
