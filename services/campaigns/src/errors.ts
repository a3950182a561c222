import { isDatabaseAway } from "@coupon/database/prisma";
import type { Refusal } from "@coupon/domain";

/**
 * The refusal for an error that somebody did expect; null for all others, which are answered as
 * `internal_error` and logged. A change that the database did not answer may have taken hold or not.
 */
export function refusalOf(error: unknown): Refusal | null {
  if (!isDatabaseAway(error)) return null;
  const detail = "The database did not answer in time; a change may have taken hold. Send the same request again.";
  return { code: "deadline_exceeded", detail };
}
