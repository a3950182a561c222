import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { CouponKey } from "@coupon/database";

/** Where a listing stands: after the coupon with this key, whose place is `at` (a time in milliseconds). */
export interface Place extends CouponKey {
  at: number;
}

const PLACE_BYTES = 8 + 4 + 2 + 4;
const MAC_BYTES = 12;

/**
 * Cursors of listings: opaque, and good only for the very listing that gave them, because they carry a MAC
 * over it and the place.
 */
export class Cursors {
  readonly #key: Buffer;

  /** @param secret shared by all processes that serve the listings */
  constructor(secret: string) {
    this.#key = Buffer.from(hkdfSync("sha256", secret, "", "coupon ledger cursors", 32));
  }

  /** @param listing everything that names the listing but the cursor */
  encode(listing: string, place: Place): string {
    const bytes = Buffer.alloc(PLACE_BYTES + MAC_BYTES);
    let at = bytes.writeBigInt64BE(BigInt(place.at), 0);
    at = bytes.writeInt32BE(place.batch, at);
    at = bytes.writeInt16BE(place.shard, at);
    bytes.writeInt32BE(place.serial, at);
    this.#mac(listing, bytes.subarray(0, PLACE_BYTES)).copy(bytes, PLACE_BYTES);
    return bytes.toString("base64url");
  }

  /** null where the text is not a cursor of this listing. */
  decode(listing: string, text: string): Place | null {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length !== PLACE_BYTES + MAC_BYTES || bytes.toString("base64url") !== text) return null;
    if (!timingSafeEqual(this.#mac(listing, bytes.subarray(0, PLACE_BYTES)), bytes.subarray(PLACE_BYTES))) return null;
    return {
      at: Number(bytes.readBigInt64BE(0)),
      batch: bytes.readInt32BE(8),
      shard: bytes.readInt16BE(12),
      serial: bytes.readInt32BE(14),
    };
  }

  #mac(listing: string, place: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(place).update(listing).digest().subarray(0, MAC_BYTES);
  }
}
