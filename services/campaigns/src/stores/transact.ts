import type { ManagementTransaction, PrismaClient } from "@coupon/database/prisma";
import type { Refusal } from "@coupon/domain";

export interface Refused {
  kind: "refused";
  refusal: Refusal;
  /** Set where something may have changed although the code by itself says that nothing has. */
  inDoubt?: true;
}

/** What a use case gives: a result, or a refusal. They are told apart by `kind`. */
export type Outcome<Result> = { kind: "done"; result: Result } | Refused;

export const done = <Result>(result: Result): Outcome<Result> => ({ kind: "done", result });
export const refused = (refusal: Refusal): Refused => ({ kind: "refused", refusal });
export const inDoubt = (refusal: Refusal): Refused => ({ kind: "refused", refusal, inDoubt: true });

/** Carries a refusal out of a transaction, so that Prisma rolls it back. Never leaves this file. */
class RolledBack extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

/**
 * Runs work in one transaction: a refusal rolls back everything that it wrote, and is returned.
 *
 * @throws what the database throws; whether the transaction took hold is then unknown
 */
export async function transact<Result>(
  prisma: PrismaClient,
  work: (tx: ManagementTransaction) => Promise<Outcome<Result>>,
): Promise<Outcome<Result>> {
  try {
    return await prisma.$transaction(async (tx) => {
      const outcome = await work(tx);
      if (outcome.kind === "refused") throw new RolledBack(outcome.refusal);
      return outcome;
    });
  } catch (error) {
    if (error instanceof RolledBack) return refused(error.refusal);
    throw error;
  }
}
