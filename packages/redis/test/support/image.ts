import { type ImageCoupons, type ShardImage, touchedBits } from "@coupon/domain";
import { rulesOf, type ShardUnderTest } from "./shard.ts";

/** One coupon as a test writes it. */
export interface ImageCoupon {
  serial: number;
  userId: string;
  /** 16 hex digits. */
  keyHash: string;
  issuedAtSeconds: number;
  touched: keyof typeof touchedBits;
}

export function toChunk(coupons: ImageCoupon[]): ImageCoupons {
  return {
    first: coupons[0]?.serial ?? 0,
    count: coupons.length,
    users: Buffer.from(coupons.map(({ userId }) => `${userId}\n`).join("")),
    keyHashes: Buffer.from(coupons.map(({ keyHash }) => keyHash).join(""), "hex"),
    issuedAtSeconds: Uint32Array.from(coupons, ({ issuedAtSeconds }) => issuedAtSeconds),
    touched: Uint8Array.from(coupons, ({ touched }) => touchedBits[touched]),
  };
}

export async function* inChunks(coupons: ImageCoupon[], size: number): AsyncGenerator<ImageCoupons> {
  for (let from = 0; from < coupons.length; from += size) yield toChunk(coupons.slice(from, from + size));
}

/** What a ledger that has read the log knows of the shard. */
export function imageOf(shard: ShardUnderTest): { image: ShardImage; coupons: ImageCoupon[] } {
  const coupons: ImageCoupon[] = [];
  const touched = new Map<number, ImageCoupon["touched"]>();
  for (const entry of shard.entries) {
    if (entry.kind === "issue") {
      const issuedAtSeconds = Math.floor(entry.at / 1_000);
      for (const [serial, userId, , keyHash] of entry.items)
        coupons.push({ serial, userId, keyHash, issuedAtSeconds, touched: "no" });
    }
    if (entry.kind === "lock" || entry.kind === "release")
      for (const { serial } of entry.items) touched.set(serial, "on_record");
    if (entry.kind === "redeem") for (const { serial } of entry.items) touched.set(serial, "redeemed");
    if (entry.kind === "reverse") for (const { serial } of entry.items) touched.set(serial, "on_record");
    if (entry.kind === "deactivate") for (const { serial } of entry.items) touched.set(serial, "deactivated");
  }
  for (const coupon of coupons) coupon.touched = touched.get(coupon.serial) ?? "no";
  const { at: atMs } = shard.entries.at(-1) ?? { at: 0 };
  const issues = shard.entries.filter((entry) => entry.kind === "issue");
  const day = issues.at(-1)?.day ?? 0;
  const dayIssued = issues.filter((entry) => entry.day === day).reduce((sum, { items }) => sum + items.length, 0);
  return {
    coupons,
    image: {
      number: shard.number,
      hash: "",
      atMs,
      nextSerial: coupons.length,
      left: 0,
      dayStartMs: day,
      dayIssued,
      rules: rulesOf(),
      debits: [{ target: 1, transfer: 1, amount: 5 }],
      credits: [{ source: 2, transfer: 1 }],
      corrections: [],
    },
  };
}
