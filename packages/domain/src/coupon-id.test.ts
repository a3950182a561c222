import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BATCH_NUMBER_MAX,
  type CouponIdParts,
  createCouponIdCodec,
  decodeCouponId,
  encodeCouponId,
  ISSUED_AT_SECONDS_MAX,
  ISSUED_AT_SECONDS_MIN,
  SERIAL_MAX,
  SHARD_MAX,
} from "./coupon-id.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const USER_ID_CHARACTERS = [..."ABCxyz019._:@-"];

const keys = new Map(
  Array.from({ length: 31 }, (_, index) => [index + 1, new Uint8Array(32).fill(index * 7 + 3)] as const),
);
const codec = createCouponIdCodec(keys);

const anyParts = fc.record({
  keyVersion: fc.integer({ min: 1, max: 31 }),
  batchNumber: fc.integer({ min: 0, max: BATCH_NUMBER_MAX }),
  shard: fc.integer({ min: 0, max: SHARD_MAX }),
  serial: fc.integer({ min: 0, max: SERIAL_MAX }),
  issuedAtSeconds: fc.integer({ min: ISSUED_AT_SECONDS_MIN, max: ISSUED_AT_SECONDS_MAX }),
});
const anyUser = fc.string({ unit: fc.constantFrom(...USER_ID_CHARACTERS), minLength: 1, maxLength: 128 });

const least: CouponIdParts = {
  keyVersion: 1,
  batchNumber: 0,
  shard: 0,
  serial: 0,
  issuedAtSeconds: ISSUED_AT_SECONDS_MIN,
};
const most: CouponIdParts = {
  keyVersion: 31,
  batchNumber: BATCH_NUMBER_MAX,
  shard: SHARD_MAX,
  serial: SERIAL_MAX,
  issuedAtSeconds: ISSUED_AT_SECONDS_MAX,
};

/** The layout once more, by another way: one large number and node's HMAC object. */
function referenceId(parts: CouponIdParts, userId: string, key: Uint8Array): string {
  let bits = 1n;
  bits = (bits << 5n) | BigInt(parts.keyVersion);
  bits = (bits << 32n) | BigInt(parts.batchNumber);
  bits = (bits << 10n) | BigInt(parts.shard);
  bits = (bits << 30n) | BigInt(parts.serial);
  bits = (bits << 30n) | BigInt(parts.issuedAtSeconds - ISSUED_AT_SECONDS_MIN);
  const fields = Buffer.from(bits.toString(16).padStart(28, "0"), "hex");
  const mac = createHmac("sha256", key).update(fields).update(userId).digest().subarray(0, 6);
  bits = (bits << 48n) | BigInt(`0x${mac.toString("hex")}`);
  let text = "";
  for (let at = 155n; at >= 0n; at -= 5n) text += ALPHABET[Number((bits >> at) & 31n)];
  return text;
}

describe("a coupon id", () => {
  it("has the stated layout and MAC", () => {
    fc.assert(
      fc.property(anyParts, anyUser, (parts, userId) => {
        const key = keys.get(parts.keyVersion) as Uint8Array;
        const id = codec.encode(parts, userId);
        expect(id).toBe(referenceId(parts, userId, key));
        expect(encodeCouponId(parts, userId, key)).toBe(id);
      }),
      {
        examples: [
          [least, "u"],
          [most, "u".repeat(128)],
        ],
      },
    );
  });

  it("is read back for its user, in either case", () => {
    fc.assert(
      fc.property(anyParts, anyUser, (parts, userId) => {
        const id = codec.encode(parts, userId);
        expect(id).toMatch(/^1[1-9A-HJKMNP-TV-Z][0-9A-HJKMNP-TV-Z]{30}$/);
        expect(decodeCouponId(id)).toEqual(parts);
        expect(codec.verify(id, userId)).toEqual(parts);
        expect(codec.verify(id.toLowerCase(), userId)).toEqual(parts);
      }),
    );
  });

  it("is nobody else's", () => {
    fc.assert(
      fc.property(anyParts, anyUser, anyUser, (parts, userId, other) => {
        fc.pre(userId !== other);
        expect(codec.verify(codec.encode(parts, userId), other)).toBeNull();
      }),
    );
  });

  it("fails with any one character changed, also for one that Crockford reads alike", () => {
    const replacements = [...ALPHABET, "I", "i", "L", "l", "O", "o", "U", "-", "\u0000", "ſ", "ı", "😀"];
    const id = codec.encode({ ...most, keyVersion: 1, serial: 1 }, "user-1");
    for (let at = 0; at < id.length; at++) {
      for (const replacement of replacements) {
        if (replacement === id[at]) continue;
        const changed = id.slice(0, at) + replacement + id.slice(at + 1);
        expect(codec.verify(changed, "user-1"), changed).toBeNull();
      }
    }
  });

  it("fails when it is cut, lengthened or anything else", () => {
    const id = codec.encode(least, "u");
    for (const text of ["", id.slice(1), id.slice(0, -1), `${id}0`, ` ${id.slice(1)}`, "0".repeat(32)]) {
      expect(codec.verify(text, "u")).toBeNull();
      expect(decodeCouponId(text)).toBeNull();
    }
    const anyText = fc.array(fc.nat(0xffff), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));
    fc.assert(fc.property(anyText, (text) => codec.verify(text, "u") === null));
  });

  it("is not read where its format or its key version is none", () => {
    const id = codec.encode(least, "u");
    for (const text of [`0${id.slice(1)}`, `2${id.slice(1)}`, `10${id.slice(2)}`]) {
      expect(decodeCouponId(text)).toBeNull();
      expect(codec.verify(text, "u")).toBeNull();
    }
  });

  it("fails under another key of its version, and where its version has none", () => {
    const id = codec.encode(least, "u");
    expect(createCouponIdCodec(new Map([[1, new Uint8Array(32)]])).verify(id, "u")).toBeNull();
    expect(createCouponIdCodec(new Map([[2, keys.get(2) as Uint8Array]])).verify(id, "u")).toBeNull();
  });

  it("is not for a user id that can't be one", () => {
    const id = codec.encode(least, "u");
    for (const userId of ["", "u".repeat(129), "ü", "u\u0100"]) {
      expect(() => codec.encode(least, userId)).toThrow(RangeError);
      expect(codec.verify(id, userId)).toBeNull();
    }
  });

  it("refuses parts out of their ranges", () => {
    const wrong: Partial<CouponIdParts>[] = [
      { keyVersion: 0 },
      { keyVersion: 32 },
      { batchNumber: -1 },
      { batchNumber: BATCH_NUMBER_MAX + 1 },
      { shard: SHARD_MAX + 1 },
      { serial: SERIAL_MAX + 1 },
      { serial: 1.5 },
      { serial: Number.NaN },
      { issuedAtSeconds: ISSUED_AT_SECONDS_MIN - 1 },
      { issuedAtSeconds: ISSUED_AT_SECONDS_MAX + 1 },
    ];
    for (const part of wrong) {
      expect(() => codec.encode({ ...least, ...part }, "u"), JSON.stringify(part)).toThrow(RangeError);
      expect(() => encodeCouponId({ ...least, ...part }, "u", new Uint8Array(32))).toThrow(RangeError);
    }
    expect(() => createCouponIdCodec(new Map([[32, new Uint8Array(32)]]))).toThrow(RangeError);
    expect(() => createCouponIdCodec(new Map([[1, new Uint8Array(0)]]))).toThrow(RangeError);
    expect(() => createCouponIdCodec(new Map([[2, new Uint8Array(32)]])).encode(least, "u")).toThrow(RangeError);
  });

  it("keeps its text", () => {
    const parts = { keyVersion: 2, batchNumber: 26, shard: 3, serial: 1_234, issuedAtSeconds: 1_767_225_600 };
    expect(encodeCouponId(parts, "household-1", new Uint8Array(32).fill(1))).toBe("12000006G0R0009MGF1VH07MNV4B52PB");
  });
});
