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
  /** Lines that would set the journal right. */
  mend?: ExpectedLine[];
}

export type ReportBooks = (finding: BooksFinding) => void;
