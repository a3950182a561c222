import { refusals } from "@coupon/domain";
import { problemText } from "@coupon/service-kit";
import type { KnownBatch } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import { type ClaimResources, type ClaimResult, claimCoupon } from "./claim-coupon.ts";

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
  const results = await Promise.all(
    grants.map(({ idempotencyKey, userId }) =>
      claimCoupon(resources, { batch, key, userId, idempotencyKey, via: "g" }),
    ),
  );
  const positions = new Map<number, number>();
  const outcomes = results.map((result, index) => {
    if (result.kind !== "refused" && result.place.offset >= 0) {
      const { partition, offset } = result.place;
      positions.set(partition, Math.max(offset, positions.get(partition) ?? -1));
    }
    return outcomeText((grants[index] as Grant).idempotencyKey, result);
  });
  return { text: `{"outcomes":[${outcomes.join(",")}]}`, positions };
}

function outcomeText(idempotencyKey: string, result: ClaimResult): string {
  const head = `{"idempotencyKey":${JSON.stringify(idempotencyKey)},"outcome":"`;
  if (result.kind !== "refused") return `${head}${result.kind}","coupon":${result.couponJson}}`;
  const { refusal } = result;
  const { status, outcome } = refusals[refusal.code];
  const unavailable = status === 503 || status === 429 || outcome === "unknown";
  return `${head}${unavailable ? "unavailable" : "refused"}","problem":${problemText(refusal)}}`;
}
