import { type BatchDefinition, type CouponIdCodec, couponJson, couponWindow, type Refusal } from "@coupon/domain";
import { shardOf } from "@coupon/redis";
import type { KnownBatch } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import type { Router } from "../front/router.ts";
import { callerVerdict } from "../front/verdict.ts";
import type { Answer, LogPlace } from "../owner/operation.ts";
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
  via: "c" | "g";
}

export type ClaimResult =
  | { kind: "issued" | "replayed"; couponJson: string; place: LogPlace }
  | { kind: "refused"; refusal: Refusal };

/**
 * Gets a user a coupon of a batch, at most once a key. Every limit is judged by the shard's script; what the
 * caller may is judged here and binds only where no success is on record.
 */
export async function claimCoupon(resources: ClaimResources, claim: Claim): Promise<ClaimResult> {
  const { batch, key, userId, idempotencyKey, via } = claim;
  const { batchNumber, shards } = batch.definition;
  const verdict = callerVerdict(batch, key, "issue");
  const shard = shards === 1 ? 0 : shardOf(resources.hashKey, batchNumber, userId, shards);
  const answer = await resources.router.submit({
    op: "claim",
    batch: batchNumber,
    shard,
    request: { userId, callerId: key.callerId, key: idempotencyKey, via, permitted: verdict === null },
  });
  return claimResult(resources, batch, shard, userId, verdict, answer);
}

function claimResult(
  { codec }: ClaimResources,
  { definition }: KnownBatch,
  shard: number,
  userId: string,
  verdict: Refusal["code"] | null,
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
