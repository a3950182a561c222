import { refusals } from "@coupon/domain";
import { problemText } from "@coupon/service-kit";
import type { KnownBatch } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import { callerVerdict } from "../front/verdict.ts";
import type { Answer } from "../owner/operation.ts";
import { type ClaimResources, type ClaimResult, claimOperation, claimResult } from "./claim-coupon.ts";

export interface Grant {
  idempotencyKey: string;
  userId: string;
}

export interface GrantsAnswer {
  /** JSON of `{outcomes}`, in the order of the grants. */
  text: string;
  /** Greatest offset of each partition that an outcome rests on. */
  positions: Map<number, number>;
}

/** Pushes coupons to users: each grant is a claim of its own, with an outcome of its own. */
export async function grantCoupons(
  resources: ClaimResources,
  batch: KnownBatch,
  key: CallerKey,
  grants: Grant[],
): Promise<GrantsAnswer> {
  const verdict = callerVerdict(batch, key, "issue");
  const permitted = verdict === null;
  const operations = grants.map(({ userId, idempotencyKey }) =>
    claimOperation(resources, batch, { userId, callerId: key.callerId, key: idempotencyKey, via: "g", permitted }),
  );
  const answers = await resources.router.submitAll<"claim">(operations);
  const positions = new Map<number, number>();
  let text = "";
  for (const [index, operation] of operations.entries()) {
    const result = claimResult(resources, batch, verdict, operation, answers[index] as Answer<"claim">);
    text += `${index === 0 ? "" : ","}${outcomeText(operation.request.key, result)}`;
    if (result.kind === "refused" || result.place.offset < 0) continue;
    const { partition, offset } = result.place;
    positions.set(partition, Math.max(offset, positions.get(partition) ?? -1));
  }
  return { text: `{"outcomes":[${text}]}`, positions };
}

function outcomeText(idempotencyKey: string, result: ClaimResult): string {
  const head = `{"idempotencyKey":${JSON.stringify(idempotencyKey)},"outcome":"`;
  if (result.kind !== "refused") return `${head}${result.kind}","coupon":${result.couponJson}}`;
  const { refusal } = result;
  const { status, outcome } = refusals[refusal.code];
  const unavailable = status === 503 || status === 429 || outcome === "unknown";
  return `${head}${unavailable ? "unavailable" : "refused"}","problem":${problemText(refusal)}}`;
}
