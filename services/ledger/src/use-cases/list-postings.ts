import { type PostingPlace, readPostings, type StoredPosting } from "@coupon/database";
import { formatInstant } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { decodePlace, encodePlace, type OpsOutcome, readPeriod } from "./ops-ask.ts";

export interface PostingsAsk {
  batchId?: string;
  campaignId?: string;
  account?: string;
  party?: string;
  from?: string;
  until?: string;
  limit?: number;
  cursor?: string;
}

/** A page of the journal, newest first. Refused: `request_invalid`, `cursor_invalid`. */
export async function listPostings({ pool }: LedgerResources, ask: PostingsAsk): Promise<OpsOutcome<object>> {
  const period = readPeriod(ask);
  if (period.kind === "refused") return period;
  const after = placeOf(ask.cursor);
  if (after === "invalid") return { kind: "refused", refusal: { code: "cursor_invalid" } };
  const limit = ask.limit ?? 50;
  const { batchId, campaignId, account, party } = ask;
  const filter = { batchId, campaignId, account, party, ...period.result };
  const rows = await readPostings(pool, filter, after, limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const nextCursor = rows.length > limit && last !== undefined ? encodePlace(last.atMs, last.postingId) : null;
  return { kind: "done", result: { items: items.map(view), nextCursor } };
}

function placeOf(cursor: string | undefined): PostingPlace | null | "invalid" {
  if (cursor === undefined) return null;
  const values = decodePlace(cursor, ["number", "number"]) as [number, number] | null;
  return values === null ? "invalid" : { atMs: values[0], postingId: values[1] };
}

function view({ atMs, amount, currency, ...line }: StoredPosting): object {
  const side = amount > 0 ? "debit" : "credit";
  return { ...line, at: formatInstant(atMs), side, amount: { amount: Math.abs(amount), currency } };
}
