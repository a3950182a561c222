import type { Resources } from "../resources.ts";
import { insertAudit } from "../stores/audits.ts";
import type { DeactivatedCoupon } from "../stores/issuing-calls.ts";
import type { Outcome } from "../stores/transact.ts";

/**
 * Deactivates one coupon through issuing. The wish is audited before it is carried out and its outcome
 * after, so that no deactivation is without a trace. May be repeated. Refused: what issuing refuses, and
 * `shard_recovering` where it can't be reached.
 */
export async function deactivateCoupon(
  { prisma, now, issuing, metrics }: Resources,
  actor: string,
  { couponId, reason, traceparent }: { couponId: string; reason: string; traceparent: string },
): Promise<Outcome<DeactivatedCoupon>> {
  const audit = (action: string, after: object | null) =>
    insertAudit(prisma, {
      ...{ at: now(), actor, action, resourceKind: "coupon", resourceId: couponId, version: null },
      ...{ request: { reason }, before: null, after },
    });
  await audit("ask_to_deactivate", null);
  const outcome = await issuing.deactivateCoupon(couponId, reason, traceparent);
  const result = outcome.kind === "done" ? "changed" : "refused";
  metrics.changes.inc({ action: "deactivate_coupon", result });
  await audit("deactivate", outcome.kind === "done" ? { ...outcome.result } : { refused: outcome.refusal.code });
  return outcome;
}
