import { NO_TOTALS, type ShardRules, type ShardTotals } from "@coupon/domain";
import type {
  CouponRow,
  DeactivationRow,
  HoldRow,
  LedgerRows,
  RedemptionRow,
  ReleaseRow,
  ReversalRow,
  RulesRow,
  ShardRow,
  TransferRow,
} from "../ledger/ledger-rows.ts";
import type { ReferenceCoupon, ReferenceShard } from "./reference-shard.ts";

/** Code of a coupon's row. */
const ROW_STATE = { effective: 1, locked: 2, redeemed: 3, deactivated: 4 } as const;

/** The rows that a ledger without a fault makes of the reference platform's entries. */
export class ReferenceRows {
  readonly redemptions: RedemptionRow[] = [];
  readonly reversals: ReversalRow[] = [];
  readonly releases: ReleaseRow[] = [];
  readonly deactivations: DeactivationRow[] = [];
  readonly rules: RulesRow[] = [];
  readonly transfers: TransferRow[] = [];
  readonly #totals = new Map<ReferenceShard, ShardTotals>();

  totalsOf(shard: ReferenceShard): ShardTotals {
    let totals = this.#totals.get(shard);
    if (totals === undefined) {
      totals = { ...NO_TOTALS };
      this.#totals.set(shard, totals);
    }
    return totals;
  }

  ruled(shard: ReferenceShard, rules: ShardRules): void {
    this.rules.push({ ...shard.address, number: shard.number, atMs: shard.atMs, version: rules.version, rules });
  }

  ledger(shards: readonly ReferenceShard[], positions: LedgerRows["positions"]): LedgerRows {
    return {
      positions,
      shards: shards.filter(({ number }) => number > 0).map((shard) => this.#shardRow(shard)),
      coupons: { [Symbol.iterator]: () => couponRows(shards) },
      holds: shards.flatMap((shard) => shard.coupons.flatMap(holdRow)),
      redemptions: this.redemptions,
      reversals: this.reversals,
      releases: this.releases,
      deactivations: this.deactivations,
      rules: this.rules,
      transfers: this.transfers,
    };
  }

  #shardRow(shard: ReferenceShard): ShardRow {
    const { address, partition, number, hash, atMs, dayStartMs, dayIssued, rules } = shard;
    const issued = shard.coupons.length;
    return { ...address, partition, number, hash, atMs, issued, dayStartMs, dayIssued, ...this.totalsOf(shard), rules };
  }
}

function* couponRows(shards: readonly ReferenceShard[]): Generator<CouponRow> {
  for (const { address, coupons } of shards) {
    for (const coupon of coupons) {
      const { serial, userId, callerId, keyHash, via, issuedAtMs } = coupon;
      const state = coupon.touched ? ROW_STATE[coupon.state] : 0;
      yield { ...address, serial, userId, callerId, keyHash, via, issuedAtMs, state };
    }
  }
}

/** A hold stays in its row beyond its deadline, until something else happens to the coupon. */
function holdRow({ shard, serial, hold }: ReferenceCoupon): HoldRow[] {
  if (hold === null) return [];
  const [callerId, orderId] = hold.order.split("/") as [string, string];
  const { payload, lockedAtMs, untilMs, discount } = hold;
  return [{ ...shard.address, serial, callerId, orderId, payload, lockedAtMs, untilMs, discount }];
}
