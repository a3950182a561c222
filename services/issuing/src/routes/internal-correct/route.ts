import { refusalReply, type Service, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import type { IssuingResources } from "../../resources.ts";
import { noOutcomeRefusal } from "../../use-cases/refusals.ts";

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });

const schema = {
  summary: "Write an approved correction into a shard's log",
  hide: true,
  body: strictObject({
    batch: Type.Integer({ minimum: 0 }),
    shard: Type.Integer({ minimum: 0 }),
    correction: strictObject({
      correctionId: Type.String({ pattern: "^[\\w-]{1,64}$" }),
      stores: Type.Array(Type.Enum(["redis", "postgresql"]), { minItems: 1, maxItems: 2 }),
      serials: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 1_000 }),
      reason: text(256),
      proposedBy: text(128),
      approvedBy: text(128),
    }),
  }),
};

/** Called by the ledger alone, which has checked that two persons stand behind it. May be repeated. */
export function internalCorrectRoute(app: Service, { router, batches }: IssuingResources): void {
  app.post("/internal/v1/corrections", { schema }, async (request, reply) => {
    const { batch, shard, correction } = request.body;
    const known = batches.byNumber(batch);
    if (known === undefined || shard >= known.definition.shards) {
      return refusalReply(reply, { code: "batch_not_found" });
    }
    const answer = await router.submit({ op: "correct", batch, shard, request: correction });
    if (answer.kind !== "done") return refusalReply(reply, noOutcomeRefusal(answer));
    return { correctionId: correction.correctionId, partition: answer.place.partition, offset: answer.place.offset };
  });
}
