import { presentBatch } from "@coupon/domain";
import { callerOf, refusalReply, type Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { CallerKey } from "../../front/callers.ts";
import { callerVerdict, seesBatch } from "../../front/verdict.ts";
import type { IssuingResources } from "../../resources.ts";
import { batchParams, readRefusals } from "../schemas.ts";

const schema = {
  summary: "A batch as its callers see it",
  params: batchParams,
  response: { 200: Type.Any({ title: "Batch" }), ...readRefusals },
};

export function getBatchRoute(app: Service, resources: IssuingResources): void {
  app.get("/batches/:batchId", { schema }, async (request, reply) => {
    const key = callerOf<CallerKey>(request);
    const batch = resources.batches.byId(request.params.batchId);
    if (batch === undefined || !seesBatch(batch, key)) return refusalReply(reply, { code: "batch_not_found" });
    const verdict = callerVerdict(batch, key, "read");
    if (verdict !== null) return refusalReply(reply, { code: verdict });
    return presentBatch(batch.definition);
  });
}
