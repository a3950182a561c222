import type { ShardRules } from "@coupon/domain";
import type {
  ClaimOutcome,
  ClaimRequest,
  CouponRecord,
  DeactivateOutcome,
  LockOutcome,
  LockRequest,
  RedeemOutcome,
  RedeemRequest,
  RefusedOutcome,
  ReleaseOutcome,
  ReleaseRequest,
  ReverseOutcome,
  ReverseRequest,
} from "../../src/index.ts";

interface Coupon {
  userId: string;
  keyScope: string;
  issuedAtSeconds: number;
  touched: boolean;
  cold: boolean;
  version: number;
  record: CouponRecord;
}

type Live = Coupon & { hold: CouponRecord["hold"]; state: CouponRecord["state"] };

const refused = (code: RefusedOutcome["code"]): RefusedOutcome => ({ kind: "refused", code });
const COLD = { kind: "cold" } as const;
const differ = (a: string, b: string | undefined): boolean => a !== "" && b !== undefined && b !== "" && a !== b;
const orderOf = ({ callerId, orderId }: { callerId: string; orderId: string }): string => `${callerId}/${orderId}`;

/** A shard as plain data and plain rules, to hold the scripts to. It is told the time that the script took. */
export class ShardModel {
  rules: ShardRules | null = null;
  left = 0;
  day = 0;
  dayFirst = 0;
  number = 0;
  readonly coupons: Coupon[] = [];
  readonly debits = new Map<number, { transfer: number; amount: number }>();
  readonly credits = new Map<number, number>();

  changeRules(rules: ShardRules): { changed: boolean; shortBy: number } {
    const changed = this.rules === null || rules.version > this.rules.version;
    if (changed) {
      this.left += rules.allotment - (this.rules?.allotment ?? 0);
      this.rules = { ...rules, buckets: this.rules?.buckets ?? rules.buckets };
    }
    return { changed, shortBy: Math.max(0, -this.left) };
  }

  claim(at: number, days: readonly number[], requests: ClaimRequest[]): ClaimOutcome[] {
    const day = days.filter((start) => start <= at && start > this.day).at(-1);
    const before = { day: this.day, dayFirst: this.dayFirst };
    if (day !== undefined) Object.assign(this, { day, dayFirst: this.coupons.length });
    const outcomes = requests.map((request) => this.#claimOne(at, request));
    // A day begins with its first issue.
    if (!outcomes.some(({ kind }) => kind === "issued")) Object.assign(this, before);
    return outcomes;
  }

  #claimOne(at: number, { userId, callerId, via, key, permitted }: ClaimRequest): ClaimOutcome {
    const keyScope = JSON.stringify([callerId, via, key]);
    const own = this.coupons.map((coupon, serial) => ({ ...coupon, serial })).filter((one) => one.userId === userId);
    const replay = own.find((one) => one.keyScope === keyScope);
    if (replay) return { kind: "replayed", serial: replay.serial, issuedAtSeconds: replay.issuedAtSeconds };
    if (!permitted) return { kind: "not_permitted" };
    const { rules } = this;
    if (!rules || at < rules.fromMs || ["draft", "in_review", "approved"].includes(rules.state)) {
      return { kind: "batch_not_started" };
    }
    if (rules.state === "paused") return { kind: "batch_paused" };
    if (rules.state === "deactivated") return { kind: "batch_deactivated" };
    if (rules.state === "ended" || at >= rules.untilMs) return { kind: "batch_ended" };
    const today = own.filter(({ serial }) => serial >= this.dayFirst).length;
    const issued = this.coupons.length;
    if (own.length >= rules.perUser) return { kind: "user_limit_reached", used: own.length, max: rules.perUser };
    if (rules.perUserPerDay !== null && today >= rules.perUserPerDay) {
      return { kind: "user_daily_limit_reached", used: today, max: rules.perUserPerDay };
    }
    if (rules.perDay !== null && issued - this.dayFirst >= rules.perDay) {
      return { kind: "daily_stock_exhausted", used: issued - this.dayFirst, max: rules.perDay };
    }
    if (this.left <= 0) return { kind: "stock_exhausted", used: issued, max: issued + this.left };
    this.left -= 1;
    this.coupons.push({
      userId,
      keyScope,
      issuedAtSeconds: Math.floor(at / 1_000),
      touched: false,
      cold: false,
      version: 0,
      record: { userId: "", state: "effective", redemptions: [], released: [] },
    });
    return { kind: "issued", serial: issued };
  }

  /** The coupon as it stands at a time; null where it is not issued. */
  #live(serial: number, at: number): Live | null {
    const coupon = this.coupons[serial];
    if (!coupon) return null;
    const { hold, state } = coupon.record;
    const held = state === "locked" && hold !== undefined && hold.untilMs > at;
    return Object.assign(Object.create(coupon) as Live, {
      hold: held ? hold : undefined,
      state: state === "locked" && !held ? "effective" : state,
    });
  }

  #write(serial: number, change: Partial<CouponRecord>): void {
    const coupon = this.coupons[serial] as Coupon;
    coupon.touched = true;
    coupon.version = this.number + 1;
    coupon.record = { ...coupon.record, ...change };
    if (change.state !== undefined && change.state !== "locked") delete coupon.record.hold;
  }

  #revoked(state: CouponRecord["state"]): boolean {
    return state === "deactivated" || this.rules?.revoked === true;
  }

  #mayTake(
    coupon: Live,
    at: number,
    order: string,
    terms: Pick<LockRequest, "validFromMs" | "validUntilMs" | "verdict">,
  ) {
    if (at < terms.validFromMs) return refused("coupon_pending");
    if (at >= terms.validUntilMs) return refused("coupon_expired");
    if (this.#revoked(coupon.state)) return refused("coupon_deactivated");
    if (coupon.hold) return refused("coupon_locked");
    if (coupon.state === "redeemed" || coupon.record.redemptions.some((one) => one.order === order)) {
      return refused("coupon_redeemed");
    }
    if (coupon.record.released.some((one) => one.order === order && one.untilMs > at)) return refused("order_released");
    return terms.verdict.kind === "discount" ? terms.verdict : refused(terms.verdict.kind);
  }

  lock(at: number, request: LockRequest): LockOutcome {
    const coupon = this.#live(request.serial, at);
    const order = orderOf(request);
    if (!coupon) return refused("coupon_not_found");
    if (coupon.cold) return COLD;
    const untilMs = at + request.holdMs;
    if (coupon.hold?.order === order) {
      const { hold } = coupon;
      if (differ(hold.payload, request.payload)) return refused("idempotency_conflict");
      const prolongs = untilMs > hold.untilMs && request.permitted && at < request.validUntilMs && !this.rules?.revoked;
      if (prolongs)
        this.#write(request.serial, { state: "locked", hold: { ...hold, untilMs }, userId: request.userId });
      return { kind: "locked", replayed: true, untilMs: prolongs ? untilMs : hold.untilMs, discount: hold.discount };
    }
    if (!request.permitted) return refused("not_permitted");
    const taken = this.#mayTake(coupon, at, order, request);
    if (taken.kind !== "discount") return taken;
    const hold = { order, payload: request.payload, untilMs, discount: taken.discount };
    this.#write(request.serial, { state: "locked", hold, userId: request.userId });
    return { kind: "locked", replayed: false, untilMs, discount: taken.discount };
  }

  redeem(at: number, request: RedeemRequest): RedeemOutcome {
    const coupon = this.#live(request.serial, at);
    const order = orderOf(request);
    if (!coupon) return refused("coupon_not_found");
    if (coupon.cold) return COLD;
    const past = coupon.record.redemptions.find((one) => one.order === order);
    if (past) {
      if (differ(past.payload, request.order?.payload)) return refused("idempotency_conflict");
      return { kind: "redeemed", replayed: true, redeemedAtMs: past.redeemedAtMs, discount: past.discount };
    }
    const mine = coupon.hold?.order === order ? coupon.hold : undefined;
    if (mine && differ(mine.payload, request.order?.payload)) return refused("idempotency_conflict");
    if (!request.permitted) return refused("not_permitted");
    if (mine) {
      if (this.rules?.revoked) return refused("coupon_deactivated");
      return this.#redeemed(at, request, order, mine.payload, mine.discount);
    }
    if (!request.order) {
      if (at < request.validFromMs) return refused("coupon_pending");
      if (at >= request.validUntilMs) return refused("coupon_expired");
      if (this.#revoked(coupon.state)) return refused("coupon_deactivated");
      if (coupon.hold) return refused("coupon_locked");
      return refused(coupon.state === "redeemed" ? "coupon_redeemed" : "hold_ended");
    }
    const taken = this.#mayTake(coupon, at, order, { ...request, ...request.order });
    return taken.kind === "discount"
      ? this.#redeemed(at, request, order, request.order.payload, taken.discount)
      : taken;
  }

  #redeemed(
    at: number,
    { serial, userId }: RedeemRequest,
    order: string,
    payload: string,
    discount: LockOutcomeDiscount,
  ) {
    const redemptions = this.coupons[serial]?.record.redemptions ?? [];
    const redemption = { order, payload, redeemedAtMs: at, discount, reversals: [] };
    this.#write(serial, { state: "redeemed", userId, redemptions: [...redemptions, redemption] });
    return { kind: "redeemed" as const, replayed: false, redeemedAtMs: at, discount };
  }

  release(at: number, request: ReleaseRequest): ReleaseOutcome {
    const coupon = this.#live(request.serial, at);
    const order = orderOf(request);
    if (!coupon) return refused("coupon_not_found");
    if (coupon.cold) return COLD;
    const held = coupon.hold?.order === order;
    const live = coupon.record.released.filter(({ untilMs }) => untilMs > at);
    const isReleased = live.some((one) => one.order === order);
    const isUsed = coupon.record.redemptions.some((one) => one.order === order);
    if (isUsed) return { kind: "released", state: coupon.state, used: true };
    if (!held && (isReleased || coupon.state === "deactivated")) {
      return { kind: "released", state: coupon.state };
    }
    if (!request.permitted) return refused("not_permitted");
    if (!held && live.length >= 64) return { kind: "released", state: coupon.state };
    const released = [...live.filter((one) => one.order !== order), { order, untilMs: at + 86_400_000 }];
    const change = held ? { state: "effective" as const } : {};
    this.#write(request.serial, { ...change, userId: request.userId, released });
    return { kind: "released", state: held ? "effective" : coupon.state };
  }

  reverse(at: number, request: ReverseRequest): ReverseOutcome {
    const coupon = this.#live(request.serial, at);
    if (!coupon) return refused("coupon_not_found");
    if (coupon.cold) return COLD;
    const { redemptions } = coupon.record;
    if (redemptions.some(({ reversals }) => reversals.some(({ keyHash }) => keyHash === request.keyHash)))
      return { kind: "stale" };
    if (!request.permitted) return refused("not_permitted");
    if ((coupon.touched ? coupon.version : 0) !== request.recordVersion) return { kind: "stale" };
    const of = redemptions.find(({ order }) => order === orderOf(request));
    if (!of || (request.restored && coupon.state !== "redeemed")) return refused("reversal_exceeds_redemption");
    const { keyHash, payload, reversalId, reversed, remaining, restored } = request;
    const reversal = { keyHash, payload, reversalId, reversedAtMs: at, reversed, remaining, restored };
    const changed = redemptions.map((one) => (one === of ? { ...one, reversals: [...one.reversals, reversal] } : one));
    this.#write(request.serial, { redemptions: changed, ...(restored ? { state: "effective" as const } : {}) });
    return { kind: "reversed", reversedAtMs: at };
  }

  deactivate(serial: number): DeactivateOutcome {
    const coupon = this.coupons[serial];
    if (!coupon) return { kind: "refused", code: "coupon_not_found" };
    const { state } = coupon.record;
    if (state === "redeemed") return { kind: "refused", code: "coupon_redeemed" };
    if (state === "deactivated") return { kind: "deactivated" };
    // What had nothing on record gets no record by this.
    if (!coupon.touched) coupon.cold = true;
    this.#write(serial, { state: "deactivated" });
    return { kind: "deactivated" };
  }

  debit(target: number, amount: number, credited: number) {
    const last = this.debits.get(target) ?? { transfer: 0, amount: 0 };
    const issued = this.coupons.length;
    if (credited < last.transfer) return { ...last, issued };
    const taken = Math.max(0, Math.min(amount, this.left));
    if (taken === 0) return { amount: 0, transfer: last.transfer, issued };
    this.left -= taken;
    this.debits.set(target, { transfer: last.transfer + 1, amount: taken });
    return { amount: taken, transfer: last.transfer + 1, issued };
  }

  credit(source: number, amount: number, transfer: number): boolean {
    if (transfer <= (this.credits.get(source) ?? 0)) return false;
    this.credits.set(source, transfer);
    this.left += amount;
    return true;
  }
}

type LockOutcomeDiscount = Extract<LockOutcome, { kind: "locked" }>["discount"];
