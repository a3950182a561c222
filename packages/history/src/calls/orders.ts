import {
  type Discount,
  decodeCouponId,
  judgeDiscount,
  orderPayloadHash,
  parseInstant,
  reversalPayloadHash,
} from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { CouponAnswer, KeyHash, Operation, OperationBase, PromiseName } from "../history.ts";
import { type At, type Books, type CouponBook, type Fact, factsOf, nameOf, placeOf } from "../log/books.ts";
import { isBelowRecord, outcomeOf } from "./outcome.ts";
import { checkPosition, type Positions } from "./positions.ts";
import type { Refusals } from "./refusals.ts";

type OrderOperation = Extract<Operation, { op: "lock" | "redeem" | "release" | "reverse" }>;
type Of<Name extends Operation["op"]> = Extract<Operation, { op: Name }>;
type FactOf<Kind extends Fact["kind"]> = Extract<Fact, { kind: Kind }>;

/** A request about one coupon, joined to what the log says of it. */
interface Joined {
  operation: OrderOperation;
  coupon: CouponBook;
  order: string;
}

/** At most so many orders in a day are remembered to have released a coupon. */
const RELEASED_MAX = 64;

/** Joins what is asked about coupons for orders to the facts of the log. */
export class Orders {
  readonly #books: Books;
  readonly #findings: Findings;
  readonly #refusals: Refusals;
  readonly #positions: Positions;
  readonly #keyHash: KeyHash | undefined;
  #byOrder: Map<string, CouponBook[]> | null = null;
  readonly #refusedRepeats: { fact: Fact; id: number; calledMs: number; code: string }[] = [];

  constructor(books: Books, findings: Findings, refusals: Refusals, positions: Positions, keyHash?: KeyHash) {
    this.#books = books;
    this.#findings = findings;
    this.#refusals = refusals;
    this.#positions = positions;
    this.#keyHash = keyHash;
  }

  take(operation: OrderOperation): void {
    const order = `${operation.callerId}/${operation.request.orderId}`;
    const outcome = outcomeOf(operation);
    if (outcome.kind === "success") {
      const answers = outcome.answer.body.coupons ?? [];
      if (answers.length === 0) this.#wrong("lost", operation, "was answered without a coupon");
      for (const answer of answers) this.#succeeded(operation, order, answer);
      return;
    }
    const named = operation.request.couponIds?.map((couponId) => this.#find(couponId));
    for (const coupon of named ?? this.#redeemedBy(order)) {
      if (coupon === undefined) continue;
      const joined = { operation, coupon, order };
      if (outcome.kind === "unknown") this.#explain(joined);
      else if (isBelowRecord(outcome.code)) this.#refused(joined, outcome.code);
      else if (outcome.code === "coupon_not_found") this.#notFound(joined);
    }
  }

  deactivate(operation: Of<"deactivate">): void {
    const outcome = outcomeOf(operation);
    const coupon = this.#find(operation.request.couponId);
    if (coupon === undefined || outcome.kind === "refused") return;
    const facts = factsOf(coupon, "deactivate", "");
    if (outcome.kind === "success" && facts.length === 0) {
      this.#findings.add("lost", `the deactivation of ${nameOf(coupon)} is not in the log`, [operation.id]);
    }
    for (const fact of facts) this.#note(fact, operation, outcome.kind === "success");
  }

  /** When every operation is in. */
  finish(): void {
    for (const { fact, id, calledMs, code } of this.#refusedRepeats) {
      if (fact.returnedMs >= calledMs) continue;
      const detail = `the ${fact.kind} of order ${fact.order} had been acknowledged when it was refused with ${code}`;
      this.#findings.add("one_outcome", detail, [id], [placeOf(fact)]);
    }
    for (const coupon of this.#books.coupons()) {
      for (const fact of coupon.story?.facts ?? []) {
        if (fact.explained) continue;
        const detail = `the ${fact.kind} of ${nameOf(coupon)} by ${fact.order} was never asked for, or refused each time`;
        this.#findings.add("phantom", detail, [], [placeOf(fact)]);
      }
    }
  }

  #succeeded(operation: OrderOperation, order: string, answer: CouponAnswer): void {
    const coupon = this.#find(answer.couponId);
    if (coupon === undefined) {
      this.#wrong("lost", operation, `names coupon ${answer.couponId}, which is not in the log`);
      return;
    }
    const joined = { operation, coupon, order };
    const { request } = operation;
    if ("userId" in request && request.userId !== coupon.userId) {
      this.#wrong("not_owned", operation, `got ${nameOf(coupon)}, which is user ${coupon.userId}'s`, [coupon]);
    }
    if (request.couponIds !== undefined && !request.couponIds.some((id) => sameId(id, answer.couponId))) {
      this.#wrong("not_owned", operation, `got ${nameOf(coupon)}, which it did not ask for`, [coupon]);
    }
    const may = operation.op === "reverse" ? "reverse" : "redeem";
    const entitled = coupon.shard.batch.versions.some(({ definition }) =>
      definition.callers.some((one) => one.callerId === operation.callerId && one.may.includes(may)),
    );
    if (!entitled) this.#wrong("not_owned", operation, "is not a caller of the batch");
    const fact = this.#factBehind(joined, answer);
    this.#positions.add(coupon.shard, operation);
    this.#explain(joined);
    if (fact === null) return;
    this.#note(fact, operation, true);
    const positions = operation.answer?.positions ?? [];
    checkPosition({ operation, positions }, fact, `the ${fact.kind} of ${nameOf(coupon)}`, this.#findings);
  }

  /** The entry's item that the answer repeats; a finding where there is none, or it says something else. */
  #factBehind(joined: Joined, answer: CouponAnswer): Fact | null {
    const { operation } = joined;
    if (operation.op === "lock") return this.#lockBehind(joined, operation, answer);
    if (operation.op === "redeem") return this.#redemptionBehind(joined, operation, answer);
    if (operation.op === "release") return this.#releaseBehind(joined);
    return this.#reversalBehind(joined, operation, answer);
  }

  #lockBehind({ coupon, order }: Joined, operation: Of<"lock">, answer: CouponAnswer): Fact | null {
    const untilMs = parseInstant(String(operation.answer?.body.lockedUntil));
    const fact = factsOf(coupon, "lock", order).findLast(({ item }) => item.untilMs === untilMs);
    if (fact === undefined) return this.#lost(operation, coupon);
    this.#checkDiscount(operation, fact, answer);
    if (orderPayloadHash(operation.request.order) !== fact.item.payload) {
      this.#wrong("one_outcome", operation, "was answered with the hold of another order's content", [fact]);
    }
    this.#checkJudged(operation, operation.request.order, coupon, fact.item.discount, fact);
    return fact;
  }

  #redemptionBehind({ coupon, order }: Joined, operation: Of<"redeem">, answer: CouponAnswer): Fact | null {
    const [fact] = factsOf(coupon, "redeem", order);
    if (fact === undefined) return this.#lost(operation, coupon);
    this.#checkDiscount(operation, fact, answer);
    if (parseInstant(String(operation.answer?.body.redeemedAt)) !== fact.atMs) {
      this.#wrong("one_outcome", operation, "was answered with another time than the log has", [fact]);
    }
    const asked = operation.request.order;
    if (asked === undefined || fact.item.payload === "") return fact;
    if (orderPayloadHash(asked) !== fact.item.payload) {
      this.#wrong("one_outcome", operation, "was answered with the redemption of another order's content", [fact]);
    } else this.#checkJudged(operation, asked, coupon, fact.item.discount, fact);
    return fact;
  }

  /** A release leaves no entry where the order had released or redeemed the coupon before, or where it is dead. */
  #releaseBehind({ operation, coupon, order }: Joined): Fact | null {
    const [fact] = factsOf(coupon, "release", order);
    if (fact !== undefined) return fact;
    const facts = coupon.story?.facts ?? [];
    const needless = facts.some(({ kind, order: by }) => kind === "deactivate" || (kind === "redeem" && by === order));
    const many = facts.filter(({ kind }) => kind === "release").length >= RELEASED_MAX;
    return needless || many ? null : this.#lost(operation, coupon);
  }

  #reversalBehind({ coupon, order }: Joined, operation: Of<"reverse">, answer: CouponAnswer): Fact | null {
    const body = operation.answer?.body;
    const fact = factsOf(coupon, "reverse", order).find(({ item }) => item.reversalId === body?.reversalId);
    if (fact === undefined) return this.#lost(operation, coupon);
    const { item } = fact;
    if (body?.discountReversed !== item.reversed.discount || body.remaining !== item.remaining) {
      this.#wrong("money", operation, "was told other amounts than the log has", [fact]);
    }
    if (item.restored !== (answer.state !== "redeemed")) {
      this.#wrong("money", operation, `was told that the coupon is ${answer.state}`, [fact]);
    }
    if (item.payload !== reversalPayloadHash(operation.request.ask)) {
      this.#wrong("one_outcome", operation, "was answered with the reversal of other lines", [fact]);
    }
    const keyHash = this.#keyHash?.(
      operation.callerId,
      `r/${operation.request.orderId}`,
      operation.request.idempotencyKey,
    );
    if (keyHash !== undefined && keyHash !== item.keyHash) {
      this.#wrong("one_outcome", operation, "was answered with the reversal of another key", [fact]);
    }
    return fact;
  }

  #checkDiscount(operation: OrderOperation, fact: FactOf<"lock" | "redeem">, answer: CouponAnswer): void {
    const { discount } = fact.item;
    const taken = discount.lines.filter((line) => line.discount > 0);
    const lines = answer.lines ?? [];
    const agree =
      answer.discount === discount.discount &&
      lines.length === taken.length &&
      taken.every((line, index) => lines[index]?.lineId === line.lineId && lines[index]?.discount === line.discount);
    if (!agree)
      this.#wrong(
        "money",
        operation,
        `was told a discount of ${answer.discount}, and the log has ${discount.discount}`,
        [fact],
      );
  }

  /** The discount is what the template gives on the order. */
  #checkJudged(
    operation: OrderOperation,
    order: Of<"lock">["request"]["order"],
    coupon: CouponBook,
    discount: Discount,
    fact: Fact,
  ): void {
    const judged = judgeDiscount(coupon.shard.batch.definition.template, order);
    if (judged.kind === "discount" && judged.discount.discount === discount.discount) return;
    const due = judged.kind === "discount" ? judged.discount.discount : judged.kind;
    this.#wrong("money", operation, `got a discount of ${discount.discount}, where the template gives ${due}`, [fact]);
  }

  #explain({ operation, coupon, order }: Joined): void {
    for (const fact of factsOf(coupon, operation.op, order)) this.#note(fact, operation, false);
  }

  #note(fact: Fact, { calledAtMs, returnedAtMs }: OperationBase, acknowledged: boolean): void {
    fact.explained = true;
    fact.calledMs = Math.min(fact.calledMs, calledAtMs);
    if (acknowledged) fact.returnedMs = Math.min(fact.returnedMs, returnedAtMs ?? Number.POSITIVE_INFINITY);
  }

  #refused({ operation, coupon, order }: Joined, code: Parameters<typeof isBelowRecord>[0]): void {
    if (operation.op !== "reverse") this.#refusals.order(coupon, order, code, operation);
    if (operation.op === "lock") this.#explainEnded({ operation, coupon, order });
    const { id, calledAtMs: calledMs } = operation;
    const fact = this.#repeated({ operation, coupon, order });
    if (fact !== undefined) this.#refusedRepeats.push({ fact, id, calledMs, code });
  }

  /**
   * A lock under way while its owner changed may be carried out, ended by its order's own release or redemption, and,
   * asked again by the front, be refused: nothing of the hold stands then, which is what the refusal says.
   */
  #explainEnded({ operation, coupon, order }: Joined): void {
    const ends = [...factsOf(coupon, "release", order), ...factsOf(coupon, "redeem", order)];
    for (const fact of factsOf(coupon, "lock", order)) {
      if (ends.some(({ number }) => number > fact.number)) this.#note(fact, operation, false);
    }
  }

  /** The success that the request repeats to the letter; a hold's repeat depends on time, and is not looked at. */
  #repeated({ operation, coupon, order }: Joined): Fact | undefined {
    if (operation.op === "redeem") {
      const [fact] = factsOf(coupon, "redeem", order);
      const asked = operation.request.order;
      const payload = asked === undefined ? "" : orderPayloadHash(asked);
      return fact !== undefined && (payload === "" || fact.item.payload === "" || payload === fact.item.payload)
        ? fact
        : undefined;
    }
    if (operation.op !== "reverse") return undefined;
    const { orderId, idempotencyKey, ask } = operation.request;
    const keyHash = this.#keyHash?.(operation.callerId, `r/${orderId}`, idempotencyKey);
    return factsOf(coupon, "reverse", order).find(
      ({ item }) => item.keyHash === keyHash && item.payload === reversalPayloadHash(ask),
    );
  }

  /** A user's own coupon that was acknowledged is found from then on. */
  #notFound({ operation, coupon }: Joined): void {
    const { request } = operation;
    const own = "userId" in request && request.userId === coupon.userId;
    const entitled = coupon.shard.batch.versions.every(({ definition }) =>
      definition.callers.some(({ callerId }) => callerId === operation.callerId),
    );
    if (!own || !entitled || coupon.returnedMs >= operation.calledAtMs) return;
    this.#wrong("lost", operation, `was told that ${nameOf(coupon)} does not exist, which had been acknowledged`, [
      coupon,
    ]);
  }

  #lost(operation: OrderOperation, coupon: CouponBook): null {
    this.#wrong("lost", operation, `was acknowledged for ${nameOf(coupon)}, and is not in the log`, [coupon]);
    return null;
  }

  /** A reversal may name its order alone. */
  #redeemedBy(order: string): readonly CouponBook[] {
    if (this.#byOrder === null) {
      this.#byOrder = new Map();
      for (const coupon of this.#books.coupons()) {
        for (const fact of coupon.story?.facts ?? []) {
          if (fact.kind === "redeem") this.#byOrder.set(fact.order, [...(this.#byOrder.get(fact.order) ?? []), coupon]);
        }
      }
    }
    return this.#byOrder.get(order) ?? [];
  }

  #find(couponId: string): CouponBook | undefined {
    const parts = decodeCouponId(couponId);
    return parts === null ? undefined : this.#books.coupon(parts.batchNumber, parts.shard, parts.serial);
  }

  #wrong(promise: PromiseName, operation: OrderOperation, what: string, at: readonly At[] = []): void {
    this.#findings.add(
      promise,
      `${operation.op} of order ${operation.request.orderId} ${what}`,
      [operation.id],
      at.map(placeOf),
    );
  }
}

function sameId(a: string, b: string): boolean {
  return a.toUpperCase() === b.toUpperCase();
}
