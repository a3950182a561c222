import { decodeCouponId } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { Answer, CouponShown, GrantAnswer, KeyHash, Operation, OperationBase, Position } from "../history.ts";
import { type BatchBook, type Books, type CouponBook, nameOf, placeOf } from "../log/books.ts";
import { isBelowRecord, type Outcome, outcomeOf, problemOutcome } from "./outcome.ts";
import { checkPosition, type Positions } from "./positions.ts";
import type { Refusals } from "./refusals.ts";

interface Claim {
  operation: OperationBase;
  batchId: string;
  userId: string;
  key: string;
  via: "c" | "g";
  outcome: Outcome;
  /** The coupon of a success. */
  coupon: CouponShown | null;
  positions: readonly Position[];
}

/** Joins claims and grants to the coupons of the log. */
export class Claims {
  readonly #books: Books;
  readonly #findings: Findings;
  readonly #refusals: Refusals;
  readonly #positions: Positions;
  readonly #keyHash: KeyHash | undefined;
  /** Without a key hash: attempts without a known outcome, by user, and coupons by key. */
  readonly #unknown = new Map<string, Set<string>>();
  readonly #byKey = new Map<string, CouponBook>();

  constructor(books: Books, findings: Findings, refusals: Refusals, positions: Positions, keyHash?: KeyHash) {
    this.#books = books;
    this.#findings = findings;
    this.#refusals = refusals;
    this.#positions = positions;
    this.#keyHash = keyHash;
  }

  claim(operation: Extract<Operation, { op: "claim" }>): void {
    const { batchId, userId, idempotencyKey } = operation.request;
    const outcome = outcomeOf(operation);
    const coupon = outcome.kind === "success" ? outcome.answer.body : null;
    const positions = operation.answer?.positions ?? [];
    this.#take({ operation, batchId, userId, key: idempotencyKey, via: "c", outcome, coupon, positions });
  }

  grant(operation: Extract<Operation, { op: "grant" }>): void {
    const { batchId, grants } = operation.request;
    const whole = outcomeOf(operation);
    grants.forEach(({ userId, idempotencyKey }, index) => {
      const one = whole.kind === "success" ? whole.answer.body.outcomes?.[index] : undefined;
      const outcome = whole.kind === "success" ? grantOutcome(one, whole.answer) : whole;
      const positions = operation.answer?.positions ?? [];
      const coupon = one?.coupon ?? null;
      this.#take({ operation, batchId, userId, key: idempotencyKey, via: "g", outcome, coupon, positions });
    });
  }

  #take(claim: Claim): void {
    const batch = this.#books.byId.get(claim.batchId);
    if (batch === undefined) {
      if (claim.outcome.kind === "success") this.#wrong("phantom", claim, `batch ${claim.batchId} was never published`);
      return;
    }
    const onRecord = this.#onRecord(batch, claim);
    if (claim.outcome.kind === "success") this.#succeeded(batch, claim, onRecord);
    else if (claim.outcome.kind === "unknown") this.#explain(claim, onRecord);
    else this.#refused(batch, claim, claim.outcome.code, onRecord);
  }

  #onRecord(batch: BatchBook, { operation, userId, key, via }: Claim): CouponBook | undefined {
    if (this.#keyHash === undefined) return undefined;
    return batch.keys.get(`${userId} ${this.#keyHash(operation.callerId, via, key)}`);
  }

  #succeeded(batch: BatchBook, claim: Claim, onRecord: CouponBook | undefined): void {
    const couponId = String(claim.coupon?.couponId ?? "");
    const parts = decodeCouponId(couponId);
    const coupon = parts === null ? undefined : this.#books.coupon(parts.batchNumber, parts.shard, parts.serial);
    if (parts === null || coupon === undefined) {
      this.#wrong("lost", claim, `was answered with coupon ${couponId}, which is not in the log`);
      return;
    }
    const sameSecond = Math.floor(coupon.issuedAtMs / 1_000) === parts.issuedAtSeconds;
    if (coupon.shard.batch !== batch || coupon.userId !== claim.userId || !sameSecond) {
      // The place was given to somebody else: what was acknowledged here is gone.
      this.#wrong("lost", claim, `was answered with ${nameOf(coupon)}, which the log has for ${coupon.userId}`, coupon);
      return;
    }
    if (claim.coupon?.userId !== claim.userId)
      this.#wrong("not_owned", claim, "was answered with another user's coupon", coupon);
    if (this.#keyHash !== undefined && onRecord !== coupon) {
      this.#wrong("one_outcome", claim, `was answered with ${nameOf(coupon)}, which another key got`, coupon);
    }
    if (this.#keyHash === undefined) this.#joinByKey(claim, coupon);
    coupon.returnedMs = Math.min(coupon.returnedMs, claim.operation.returnedAtMs ?? Number.POSITIVE_INFINITY);
    this.#explain(claim, coupon);
    // A grant's position is that of several shards.
    if (claim.via === "c") this.#positions.add(coupon.shard, claim.operation);
    checkPosition(claim, coupon, nameOf(coupon), this.#findings);
  }

  #joinByKey(claim: Claim, coupon: CouponBook): void {
    const name = `${claim.batchId} ${claim.userId} ${claim.operation.callerId} ${claim.via} ${claim.key}`;
    const other = this.#byKey.get(name);
    this.#byKey.set(name, coupon);
    if (other !== undefined && other !== coupon)
      this.#wrong("one_outcome", claim, `got ${nameOf(other)} and ${nameOf(coupon)}`, coupon);
  }

  #explain(claim: Claim, coupon: CouponBook | undefined): void {
    if (coupon !== undefined) {
      coupon.explained = true;
      coupon.calledMs = Math.min(coupon.calledMs, claim.operation.calledAtMs);
    } else if (this.#keyHash === undefined) {
      const user = `${claim.batchId} ${claim.userId}`;
      const keys = this.#unknown.get(user) ?? new Set<string>();
      keys.add(`${claim.operation.callerId} ${claim.via} ${claim.key}`);
      this.#unknown.set(user, keys);
    }
  }

  #refused(
    batch: BatchBook,
    claim: Claim,
    code: Parameters<typeof isBelowRecord>[0],
    onRecord: CouponBook | undefined,
  ): void {
    if (!isBelowRecord(code)) return;
    const { id, calledAtMs } = claim.operation;
    if (onRecord !== undefined && calledAtMs > onRecord.refusedMs) {
      onRecord.refusedMs = calledAtMs;
      onRecord.refusedBy = id;
    }
    this.#refusals.claim(batch, claim.userId, code, claim.operation);
  }

  /** When every operation is in: what nobody asked for, and what was refused although it was on record. */
  finish(): void {
    for (const coupon of this.#books.coupons()) {
      if (coupon.refusedMs > coupon.returnedMs) {
        const detail = `${nameOf(coupon)} had been acknowledged when the same key was refused`;
        this.#findings.add("one_outcome", detail, [coupon.refusedBy], [placeOf(coupon)]);
      }
      if (coupon.explained || this.#isOneOfTheUnknown(coupon)) continue;
      const detail = `${nameOf(coupon)} of ${coupon.userId} was never asked for, or refused each time`;
      this.#findings.add("phantom", detail, [], [placeOf(coupon)]);
    }
  }

  /** Without a key hash one attempt without a known outcome explains one coupon of its user. */
  #isOneOfTheUnknown({ shard, userId }: CouponBook): boolean {
    const batchId = shard.batch.definition.batchId;
    const keys = this.#unknown.get(`${batchId} ${userId}`);
    if (keys === undefined) return false;
    for (const key of keys) {
      keys.delete(key);
      if (!this.#byKey.has(`${batchId} ${userId} ${key}`)) return true;
    }
    return false;
  }

  #wrong(promise: Parameters<Findings["add"]>[0], claim: Claim, what: string, coupon?: CouponBook): void {
    const detail = `claim ${claim.key} of ${claim.userId} ${what}`;
    this.#findings.add(promise, detail, [claim.operation.id], coupon === undefined ? [] : [placeOf(coupon)]);
  }
}

function grantOutcome(one: GrantAnswer | undefined, answer: Answer): Outcome {
  if (one?.outcome === "issued" || one?.outcome === "replayed") return { kind: "success", answer };
  return problemOutcome(one?.problem);
}
