import type { BatchAction } from "@coupon/domain";
import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { actOnBatch } from "../../use-cases/act-on-batch.ts";
import { viewBatch } from "../../views.ts";
import { answer, approvers, changeAsk, operators, refuseInvalid } from "../answer.ts";
import { schema } from "./schema.ts";

/** The actions that take nothing but, perhaps, a reason; and who may ask for them. */
const actions: Record<Exclude<BatchAction, "deactivate">, { role: typeof operators; summary: string }> = {
  submit: { role: operators, summary: "Submit a draft for review, with its template as it is now" },
  approve: { role: approvers, summary: "Approve a batch and reserve the most that it can cost" },
  reject: { role: approvers, summary: "Send a batch back to be a draft" },
  start: { role: operators, summary: "Let an approved batch issue" },
  pause: { role: operators, summary: "Stop issuing until it is resumed" },
  resume: { role: operators, summary: "Let a paused batch issue again" },
  end: { role: operators, summary: "Stop issuing for good; what was issued stays valid" },
};

export function actOnBatchRoute(app: Service, resources: Resources): void {
  for (const [name, { role, summary }] of Object.entries(actions)) {
    const action = name as keyof typeof actions;
    const options = { schema: { summary, ...schema }, preHandler: role, attachValidation: true };
    app.post(`/batches/:id/${action}`, options, async (request, reply) => {
      refuseInvalid(request);
      const ask = changeAsk(request, request.params.id, action, request.body ?? null);
      return answer(reply, actOnBatch(resources, ask, { action }), viewBatch);
    });
  }
}
