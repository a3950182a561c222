export { defaultRetryPolicy, type RetryPolicy } from "./back-off.ts";
export {
  type CallOptions,
  CouponCalls,
  type CouponFilter,
  type Keyed,
  type LockBody,
  type RedeemBody,
  type ReverseBody,
} from "./coupon-calls.ts";
export { CouponClient } from "./coupon-client.ts";
export { type Grant, type GrantOptions, type GrantOutcome, type GrantResult, grantsPerRequestMax } from "./grant.ts";
export {
  type BatchCalls,
  OperatorClient,
  type OperatorClientOptions,
  type ResourceCalls,
} from "./operator-client.ts";
export type * from "./operator-types.ts";
export { ReadAfter } from "./read-after.ts";
export {
  CallFailed,
  expectValue,
  type Refusal,
  type RefusalCode,
  type Refused,
  type Result,
  type Success,
  type Unknown,
} from "./result.ts";
export { type RequestToSign, signRequest } from "./sign-request.ts";
export type { ConnectionOptions, CouponClientOptions } from "./signed-caller.ts";
export type * from "./types.ts";
