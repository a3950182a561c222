import {
  type OrderCoupon,
  type OrderFacts,
  type OrderRedemption,
  type OrderReversal,
  readOrder as readFacts,
} from "@coupon/database";
import { type BatchDefinition, couponStateAt, type Discount, formatInstant } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { type Reader, readVerdict, sees } from "../stores/batches.ts";
import { found, type Outcome, refused } from "./outcome.ts";
import { couponIdOf, windowOf } from "./show-coupon.ts";

/** A fact with the definition of its batch. */
type Known<Fact> = Fact & { definition: BatchDefinition };

/**
 * One's own order: the hold while it lasts, the redemption, and its reversals. An order that neither holds nor
 * has redeemed anything, and another caller's, are `order_not_found`; one with a coupon of a batch that the reader may
 * not read is refused.
 */
export async function readOrder(resources: LedgerResources, reader: Reader, orderId: string): Promise<Outcome> {
  const facts = await knownFacts(resources, reader, orderId);
  const nowMs = resources.now();
  const holds = facts.holds.filter((hold) => nowMs < hold.untilMs && !hold.definition.revoked);
  if (holds.length === 0 && facts.redemptions.length === 0) return refused("order_not_found");
  const verdict = readVerdict(
    reader,
    [...holds, ...facts.redemptions].map(({ definition }) => definition),
  );
  if (verdict !== null) return refused(verdict);
  const show = new OrderView(resources, orderId);
  return found(
    JSON.stringify({
      orderId,
      ...(holds.length === 0 ? {} : { hold: show.hold(holds) }),
      ...(facts.redemptions.length === 0 ? {} : { redemption: show.redemption(facts.redemptions, facts.reversals) }),
      reversals: facts.reversals.map((reversal) => show.reversal(reversal)),
    }),
  );
}

/**
 * Coupons that the order has redeemed, for a reversal that does not name them; and where there are none,
 * whether the ledger has caught up with the log, so that this means something.
 */
export async function readOrderCoupons(resources: LedgerResources, reader: Reader, orderId: string): Promise<Outcome> {
  let facts = await knownFacts(resources, reader, orderId);
  let caughtUp = true;
  if (facts.redemptions.length === 0) {
    // First how far the log goes, then the order: in between nothing can slip through.
    caughtUp = await resources.isCaughtUp();
    facts = await knownFacts(resources, reader, orderId);
  }
  const coupons = facts.redemptions.map((each) => ({
    couponId: couponIdOf(resources.codec, each.definition, each),
    userId: each.userId,
  }));
  return found(JSON.stringify({ orderId, coupons, caughtUp }));
}

interface KnownFacts {
  holds: Known<OrderFacts["holds"][number]>[];
  redemptions: Known<OrderRedemption>[];
  reversals: Known<OrderReversal>[];
}

async function knownFacts({ pool, batches }: LedgerResources, reader: Reader, orderId: string): Promise<KnownFacts> {
  const facts = await readFacts(pool, reader.callerId, orderId);
  const known = <Fact extends OrderCoupon>(list: Fact[]): Known<Fact>[] =>
    list.flatMap((fact) => {
      const definition = batches.byNumber(fact.batch);
      return definition !== undefined && sees(definition, reader) ? [{ ...fact, definition }] : [];
    });
  return { holds: known(facts.holds), redemptions: known(facts.redemptions), reversals: known(facts.reversals) };
}

class OrderView {
  readonly #resources: LedgerResources;
  readonly #orderId: string;

  constructor(resources: LedgerResources, orderId: string) {
    this.#resources = resources;
    this.#orderId = orderId;
  }

  hold(holds: KnownFacts["holds"]): object {
    return {
      ...this.#common(holds),
      lockedUntil: formatInstant(Math.min(...holds.map((hold) => hold.untilMs))),
    };
  }

  redemption(redemptions: KnownFacts["redemptions"], reversals: KnownFacts["reversals"]): object {
    const { orderId, userId, coupons, discount } = this.#common(redemptions);
    const discountReversed = reversals.reduce((sum, each) => sum + each.discountReversed, 0);
    const whole = discountReversed === discount;
    const status = reversals.length === 0 ? "redeemed" : whole ? "reversed" : "partially_reversed";
    const redeemedAt = formatInstant(Math.max(...redemptions.map((each) => each.redeemedAtMs)));
    return { orderId, userId, status, coupons, discount, discountReversed, redeemedAt };
  }

  reversal(reversal: Known<OrderReversal>): object {
    const { reversalId, discountReversed, remaining, restored, reversedAtMs, definition } = reversal;
    const window = windowOf(definition, reversal);
    const state = restored ? couponStateAt({ stored: "effective" }, window, reversedAtMs) : "redeemed";
    return { reversalId, discountReversed, remaining, coupons: [{ couponId: this.#couponId(reversal), state }] };
  }

  #common(facts: Known<OrderCoupon & { discount: Discount }>[]) {
    return {
      orderId: this.#orderId,
      userId: facts[0]?.userId,
      coupons: facts.map((fact) => ({
        couponId: this.#couponId(fact),
        discount: fact.discount.discount,
        lines: fact.discount.lines
          .filter((line) => line.discount > 0)
          .map(({ lineId, discount }) => ({ lineId, discount })),
      })),
      discount: facts.reduce((sum, fact) => sum + fact.discount.discount, 0),
    };
  }

  #couponId(fact: Known<OrderCoupon>): string {
    return couponIdOf(this.#resources.codec, fact.definition, fact);
  }
}
