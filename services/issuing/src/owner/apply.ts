import type { EntryKind } from "@coupon/domain";
import type { Applied, DayStarts, ShardCalls } from "@coupon/redis";
import type { Operation, OperationName } from "./operation.ts";
import type { Pending } from "./pending.ts";
import { type BelongsTo, reverseAll } from "./reversal.ts";
import type { Shard } from "./shard.ts";

/** At most so many operations in one script call: 512 claims take Redis about 2 ms. */
const CLAIMS_MAX = 512;
/** Order operations carry discounts line by line, and an entry must stay below 1 MiB. */
const ORDERS_MAX = 64;

export const batchMax = (name: OperationName): number =>
  name === "claim" ? CLAIMS_MAX : name === "debit" ? 1 : ORDERS_MAX;

export const entryKind: Record<OperationName, EntryKind> = {
  claim: "issue",
  lock: "lock",
  redeem: "redeem",
  release: "release",
  reverse: "reverse",
  deactivate: "deactivate",
  debit: "debit",
};

/** Applies one micro-batch of one kind by one script call. */
export function applyBatch(
  calls: ShardCalls,
  shard: Shard,
  epoch: number,
  name: OperationName,
  pendings: Pending[],
  days: DayStarts,
  belongsTo: BelongsTo,
): Promise<Applied<{ kind: string } | { amount: number; transfer: number; issued: number }>> {
  const at = shard.address;
  const expect = shard.expectation(epoch);
  switch (name) {
    case "claim":
      return calls.claim(at, expect, days, requestsOf(pendings, "claim"));
    case "lock":
      return calls.lock(at, expect, requestsOf(pendings, "lock"));
    case "redeem":
      return calls.redeem(at, expect, requestsOf(pendings, "redeem"));
    case "release":
      return calls.release(at, expect, requestsOf(pendings, "release"));
    case "reverse":
      return reverseAll(calls, at, expect, requestsOf(pendings, "reverse"), belongsTo);
    case "deactivate":
      return calls.deactivate(at, expect, requestsOf(pendings, "deactivate"));
    case "debit": {
      const [request] = requestsOf(pendings, "debit");
      return calls.debit(at, expect, request ?? { target: 0, amount: 0, credited: 0 });
    }
  }
}

type RequestOf<Name extends OperationName> = Extract<Operation, { op: Name }>["request"];

/** A micro-batch is of one kind, so its requests are of that kind's type. */
function requestsOf<Name extends OperationName>(pendings: Pending[], _name: Name): RequestOf<Name>[] {
  return pendings.map(({ operation }) => operation.request as RequestOf<Name>);
}
