import type { CouponRun } from "./load-run.ts";
import { type SlotsCall, slotsCallsOf } from "./load-slots.ts";
import { readyBucket } from "./ready-bucket.ts";

/** Coupons in a script call: some 170 KB, and below a millisecond of Redis. */
const CALL_COUPONS = 8_000;

/** A call of load-buckets.lua, that replaces the buckets. */
export interface BucketsCall {
  buckets: number[];
  payloads: Buffer[];
}

/** Calls for a run that has all coupons so far, from serial 0: each bucket is made whole. */
export function* bucketsCalls(run: CouponRun): Generator<BucketsCall | SlotsCall> {
  let call: BucketsCall = { buckets: [], payloads: [] };
  let coupons = 0;
  for (const group of run.groups()) {
    let from = 0;
    for (const [bucket, end] of group.ends.entries()) {
      const payload = end > from ? readyBucket(group.words, from, end) : undefined;
      if (payload === null) yield* slotsCallsOf(group, bucket, from, end);
      if (payload instanceof Buffer) {
        call.buckets.push(group.firstBucket + bucket);
        call.payloads.push(payload);
        coupons += end - from;
      }
      from = end;
      if (coupons < CALL_COUPONS) continue;
      yield call;
      call = { buckets: [], payloads: [] };
      coupons = 0;
    }
  }
  if (coupons > 0) yield call;
}
