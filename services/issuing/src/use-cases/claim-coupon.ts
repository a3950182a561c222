import {
  type BatchDefinition,
  type CouponIdCodec,
  couponJson,
  couponWindow,
  type Refusal,
  type RefusalCode,
} from "@coupon/domain";
import { type ClaimRequest, shardOf } from "@coupon/redis";
import type { KnownBatch } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import type { Router } from "../front/router.ts";
import { callerVerdict } from "../front/verdict.ts";
import type { Answer, LogPlace, Operation } from "../owner/operation.ts";
import { claimRefusal, noOutcomeRefusal } from "./refusals.ts";

export interface ClaimResources {
  router: Router;
  codec: CouponIdCodec;
  hashKey: Buffer;
}

export interface Claim {
  batch: KnownBatch;
  key: CallerKey;
  userId: string;
  idempotencyKey: string;
}

export type ClaimResult =
  | { kind: "issued" | "replayed"; couponJson: string; place: LogPlace }
  | { kind: "refused"; refusal: Refusal };

/**
 * Gets a user a coupon of a batch, at most once a key. Every limit is judged by the shard's script; what the
 * caller may is judged here and binds only where no success is on record.
 */
export async function claimCoupon(resources: ClaimResources, claim: Claim): Promise<ClaimResult> {
  const { batch, key, userId, idempotencyKey } = claim;
  const verdict = callerVerdict(batch, key, "issue");
  const operation = claimOperation(resources, batch, {
    userId,
    callerId: key.callerId,
    key: idempotencyKey,
    via: "c",
    permitted: verdict === null,
  });
  const answer = await resources.router.submit(operation);
  return claimResult(resources, batch, verdict, operation, answer);
}

export type ClaimOperation = Extract<Operation, { op: "claim" }>;

export function claimOperation(
  { hashKey }: ClaimResources,
  { definition: { batchNumber, shards } }: KnownBatch,
  request: ClaimRequest,
): ClaimOperation {
  const shard = shards === 1 ? 0 : shardOf(hashKey, batchNumber, request.userId, shards);
  return { op: "claim", batch: batchNumber, shard, request };
}

/** What the owner's answer means to the caller, whose own standing is `verdict`. */
export function claimResult(
  { codec }: ClaimResources,
  { definition }: KnownBatch,
  verdict: RefusalCode | null,
  { shard, request: { userId } }: ClaimOperation,
  answer: Answer<"claim">,
): ClaimResult {
  if (answer.kind !== "done") return { kind: "refused", refusal: noOutcomeRefusal(answer) };
  const { outcome, atMs, place } = answer;
  if (outcome.kind === "issued") {
    const text = describe(codec, definition, shard, outcome.serial, Math.floor(atMs / 1000), userId);
    return { kind: "issued", couponJson: text, place };
  }
  if (outcome.kind === "replayed") {
    const text = describe(codec, definition, shard, outcome.serial, outcome.issuedAtSeconds, userId);
    return { kind: outcome.first === true ? "issued" : "replayed", couponJson: text, place };
  }
  return { kind: "refused", refusal: claimRefusal(definition, outcome, atMs, verdict) };
}

/** The coupon as it was when it was issued: a replay gives it again to the letter. */
function describe(
  codec: CouponIdCodec,
  definition: BatchDefinition,
  shard: number,
  serial: number,
  issuedAtSeconds: number,
  userId: string,
): string {
  const { batchNumber, couponKeyVersion } = definition;
  const couponId = codec.encode({ keyVersion: couponKeyVersion, batchNumber, shard, serial, issuedAtSeconds }, userId);
  const { validFromMs } = couponWindow(definition.template, issuedAtSeconds);
  const state = validFromMs <= issuedAtSeconds * 1_000 ? "effective" : "pending";
  return couponJson(definition, { couponId, userId, state, issuedAtSeconds });
}
