import { DatabaseFailure, isUnavailable } from "../../failure.ts";

/** Says in words what an audit that fails for it shows. */
export async function readable<Result>(reading: Promise<Result>): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    throw new DatabaseFailure(`PostgreSQL did not answer: ${(error as Error).message}`, { cause: error });
  }
}
