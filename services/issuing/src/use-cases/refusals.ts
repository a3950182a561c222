import { type BatchDefinition, dayStartsAround, formatInstant, type Refusal, type RefusalCode } from "@coupon/domain";
import type { ClaimOutcome } from "@coupon/redis";
import type { NoOutcome } from "../owner/operation.ts";

type RefusedClaim = Exclude<ClaimOutcome, { kind: "issued" | "replayed" }> | { kind: "stock_in_transfer" };

/** Why a claim got no coupon, with the limit that it met spelled out. */
export function claimRefusal(
  definition: BatchDefinition,
  outcome: RefusedClaim,
  atMs: number,
  verdict: RefusalCode | null,
): Refusal {
  const { batchId, timeZone, issueWindow } = definition;
  switch (outcome.kind) {
    case "not_permitted":
      return { code: verdict ?? "operation_not_permitted" };
    case "stock_in_transfer":
      return { code: "stock_in_transfer", retryAfterSeconds: 1 };
    case "batch_not_started":
      return { code: outcome.kind, retryAfterSeconds: secondsUntil(Date.parse(issueWindow.from), atMs) };
    case "batch_paused":
      return { code: outcome.kind, retryAfterSeconds: 5 };
    case "batch_ended":
    case "batch_deactivated":
      return { code: outcome.kind };
    case "stock_exhausted":
      return {
        code: outcome.kind,
        limit: { name: "stock.total", scope: `batch:${batchId}`, max: outcome.max, used: outcome.used },
      };
    case "user_limit_reached":
      return {
        code: outcome.kind,
        limit: { name: "stock.perUser", scope: "user", max: outcome.max, used: outcome.used },
      };
    case "user_daily_limit_reached":
    case "daily_stock_exhausted": {
      const resetsAtMs = dayStartsAround(timeZone, atMs).find((startMs) => startMs > atMs) ?? atMs;
      const perUser = outcome.kind === "user_daily_limit_reached";
      // Of several shards, each has its own part of the day, which is nobody's business; what all have issued today would
      // take asking every one of them for each refusal.
      const { max, used } = perUser || definition.shards === 1 ? outcome : wholeDay(definition, outcome);
      return {
        code: outcome.kind,
        retryAfterSeconds: secondsUntil(resetsAtMs, atMs),
        limit: {
          name: perUser ? "stock.perUserPerDay" : "stock.perDay",
          scope: perUser ? "user" : `batch:${batchId}`,
          max,
          used,
          resetsAt: formatInstant(resetsAtMs),
        },
      };
    }
  }
}

function wholeDay({ stock }: BatchDefinition, part: { max: number; used: number }): { max: number; used: number } {
  return stock.perDay === undefined ? part : { max: stock.perDay, used: stock.perDay };
}

/** What an owner without an outcome means to the caller. */
export function noOutcomeRefusal(answer: NoOutcome): Refusal {
  switch (answer.kind) {
    case "not_owner":
    case "recovering":
      return { code: "shard_recovering", retryAfterSeconds: 1 };
    case "overloaded":
      return { code: "overloaded", retryAfterSeconds: 1 };
    case "ledger_behind":
      return { code: "ledger_behind", retryAfterSeconds: answer.retryAfterSeconds ?? 1 };
    case "ledger_unavailable":
      return { code: "ledger_unavailable", retryAfterSeconds: 1 };
    case "failed":
      return { code: "internal_error" };
    case "unknown":
      return { code: answer.because, retryAfterSeconds: 1 };
  }
}

function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(1, Math.min(86_400 * 2, Math.ceil((atMs - nowMs) / 1000)));
}
