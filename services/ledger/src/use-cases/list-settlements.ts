import { readSettlements, readTrialBalance, type SettlementAsk, type SettlementSum } from "@coupon/database";
import { formatInstant, type PostingAccount, type PostingEvent } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { decodePlace, encodePlace, type OpsOutcome, readPeriod } from "./ops-ask.ts";

export interface SettlementsAsk {
  by?: "batch" | "campaign";
  batchId?: string;
  campaignId?: string;
  party?: string;
  from?: string;
  until?: string;
  limit?: number;
  cursor?: string;
}

/**
 * What coupons have come to, per party and batch or campaign, in all or in a period, with the trial balance of the
 * same scope. Refused: `request_invalid`, `cursor_invalid`.
 */
export async function listSettlements(resources: LedgerResources, ask: SettlementsAsk): Promise<OpsOutcome<object>> {
  const period = readPeriod(ask);
  if (period.kind === "refused") return period;
  const after = placeOf(ask.cursor);
  if (after === "invalid") return { kind: "refused", refusal: { code: "cursor_invalid" } };
  const { batchId, campaignId, party, by = "batch", limit = 50 } = ask;
  const filter = { batchId, campaignId, party, ...period.result };
  const asOf = formatInstant(resources.asOfMs(resources.now()));
  const [sums, balances] = await Promise.all([
    readSettlements(resources.pool, { by, filter, after, limit: limit + 1 }),
    readTrialBalance(resources.pool, filter),
  ]);
  const groups = groupsOf(sums);
  const last = groups.length > limit ? groups[limit - 1]?.[0] : undefined;
  const trialBalance = balances.map(({ currency, debit, credit }) => {
    const [left, right] = [BigInt(debit), BigInt(credit)];
    return { currency, debit: left, credit: right, imbalance: left - right };
  });
  return {
    kind: "done",
    result: {
      items: groups.slice(0, limit).map(view),
      nextCursor: last === undefined ? null : encodePlace(groupOf(last), last.party, last.currency),
      ...{ trialBalance, asOf },
    },
  };
}

const groupOf = ({ batchId, campaignId }: SettlementSum): string => batchId ?? campaignId;

function placeOf(cursor: string | undefined): SettlementAsk["after"] | "invalid" {
  if (cursor === undefined) return null;
  const values = decodePlace(cursor, ["string", "string", "string"]) as [string, string, string] | null;
  return values === null ? "invalid" : { group: values[0], party: values[1], currency: values[2] };
}

/** Sums of one group stand together. */
function groupsOf(sums: SettlementSum[]): SettlementSum[][] {
  const groups = Map.groupBy(sums, (sum) => JSON.stringify([groupOf(sum), sum.party, sum.currency]));
  return [...groups.values()];
}

function view(sums: SettlementSum[]): object {
  const { campaignId, batchId, party, currency } = sums[0] as SettlementSum;
  const find = (account: PostingAccount, events: PostingEvent[]) =>
    sums.filter((sum) => sum.account === account && events.includes(sum.event));
  const total = (account: PostingAccount, ...events: PostingEvent[]) =>
    find(account, events).reduce((all, sum) => all + BigInt(sum.amount), 0n);
  const coupons = (account: PostingAccount, ...events: PostingEvent[]) =>
    find(account, events).reduce((all, sum) => all + BigInt(sum.coupons), 0n);
  const money = (amount: bigint) => ({ amount, currency });
  const all = (account: PostingAccount) =>
    sums.reduce((sum, each) => (each.account === account ? sum + BigInt(each.amount) : sum), 0n);
  const settled = -total("payable", "redeem");
  return {
    ...{ campaignId, batchId, party },
    opening: { liability: money(-total("liability", "open")), payable: money(-total("payable", "open")) },
    issued: { coupons: coupons("liability", "issue"), liability: money(-total("liability", "issue")) },
    redeemed: {
      coupons: coupons("payable", "redeem"),
      settled: money(settled),
      released: money(total("liability", "redeem") - settled),
    },
    reversed: {
      coupons: coupons("payable", "reverse"),
      returned: money(total("payable", "reverse")),
      liability: money(-total("liability", "reverse")),
    },
    expired: {
      coupons: coupons("liability", "expire") - coupons("liability", "reinstate"),
      liability: money(total("liability", "expire", "reinstate")),
    },
    deactivated: {
      coupons: coupons("liability", "deactivate", "revoke"),
      liability: money(total("liability", "deactivate", "revoke")),
    },
    outstanding: money(-all("liability")),
    payable: money(-all("payable")),
  };
}
