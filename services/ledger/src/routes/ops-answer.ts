import { isUnavailable } from "@coupon/database";
import { refusalReply, requireRole } from "@coupon/service-kit";
import type { FastifyReply } from "fastify";
import { Type } from "typebox";
import type { OpsOutcome } from "../use-cases/ops-ask.ts";

/** Whoever has a role may read the books. */
export const booksReaders = requireRole("operator", "approver", "viewer", "finance");

export const resourceId = Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" });
export const partyName = Type.String({ minLength: 1, maxLength: 200 });
export const instant = Type.String({
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$",
  description: "RFC 3339 time in UTC",
});
export const pageLimit = Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 }));
export const cursor = Type.Optional(Type.String({ maxLength: 1_000 }));

/** Minor units of a currency; sums may be beyond what a double holds, and are exact in the JSON all the same. */
export const signedMoney = Type.Object({ amount: Type.Integer(), currency: Type.String() });

/** Answers an operator; PostgreSQL being away is `ledger_unavailable`, never a 500. */
export async function answerOps<Result>(
  reply: FastifyReply,
  work: () => Promise<OpsOutcome<Result>>,
): Promise<FastifyReply> {
  try {
    const outcome = await work();
    return outcome.kind === "refused" ? refusalReply(reply, outcome.refusal) : reply.send(outcome.result);
  } catch (error) {
    if (isUnavailable(error)) return refusalReply(reply, { code: "ledger_unavailable" });
    throw error;
  }
}
