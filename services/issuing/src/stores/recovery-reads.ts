import type { CouponRecord, ImageCoupons, ShardAddress, ShardImage } from "@coupon/redis";

/** Where to read a partition's log from, and what counted before that place. */
export interface LogBase {
  position: number;
  /** Every shard that has an entry before `position` is in `shards`. */
  isWhole: boolean;
  /** Known shards of which nothing can be told yet; the others that are not in `shards` have no entry before it. */
  uncounted: ShardAddress[];
  /** Offset of the last marker before `position`; -1 where there is none or it is not known. */
  epoch: number;
  shards: {
    address: ShardAddress;
    number: number;
    hash: string | null;
    /**
     * Set where `number` is only known to be durable and not to be the last that counted before `position`: the epoch
     * of the header that says so. That shard was opened under it with all before it settled, so together with the
     * shard as this header describes it the number is enough to go on from, and with nothing else.
     */
    floorOf: number | null;
  }[];
}

/** A shard as PostgreSQL has it at one entry number. */
export interface ShardSnapshot {
  image: ShardImage;
  coupons: AsyncIterable<ImageCoupons>;
  close(): Promise<void>;
}

/** Reads that only an opening, a rebuild or a cold coupon needs; never part of a claim. */
export interface RecoveryReads {
  logBase(partition: number, known: ShardAddress[]): Promise<LogBase>;
  /** Waits, bounded, until the ledger has applied `number`; null where it did not get there. */
  snapshot(address: ShardAddress, number: number, withinMs: number): Promise<ShardSnapshot | null>;
  /** Records as of at least entry `number`; null where the ledger did not get there within the time. */
  records(
    address: ShardAddress,
    serials: number[],
    number: number,
    withinMs: number,
  ): Promise<{ serial: number; record: CouponRecord }[] | null>;
}
