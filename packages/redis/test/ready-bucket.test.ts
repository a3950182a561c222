import { uniqueName } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeCrc64 } from "../src/crc64.ts";
import type { RedisConnection } from "../src/index.ts";
import { WORDS } from "../src/load-run.ts";
import { readyBucket } from "../src/ready-bucket.ts";
import { connect } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

interface Coupon {
  field: Buffer;
  serial: number;
  keyHash: Buffer;
}

/** Bytes that differ from number to number, none of which is a digit. */
const bytesOf = (n: number, length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => 0x80 | ((n >> (7 * (i % 4))) & 0x7f)));

function couponsOf(users: number, perUser: number): Coupon[] {
  return Array.from({ length: users * perUser }, (_, serial) => ({
    field: bytesOf(serial % users, 6),
    serial,
    keyHash: bytesOf(serial, 8),
  }));
}

function wordsOf(coupons: Coupon[]): Uint32Array {
  const words = new Uint32Array(coupons.length * WORDS);
  for (const [i, { field, serial, keyHash }] of coupons.entries()) {
    // What is above the field is none of the bucket's.
    const high = 0xabcd0000 | field.readUInt16BE(0);
    words.set([high, field.readUInt32BE(2), serial, keyHash.readUInt32BE(0), keyHash.readUInt32BE(4)], i * WORDS);
  }
  return words;
}

/** As live scripts write it: coupon by coupon. */
async function writeLive(key: string, coupons: Coupon[]): Promise<void> {
  const slots = new Map<string, Buffer>();
  for (const { field, serial, keyHash } of coupons) {
    const packed = Buffer.alloc(3);
    packed.writeUIntBE(serial, 0, 3);
    const slot = Buffer.concat([slots.get(field.toString("hex")) ?? Buffer.alloc(0), packed, keyHash]);
    slots.set(field.toString("hex"), slot);
    await redis.hset(key, field, slot);
  }
}

test("the CRC-64 is the one of Redis, whatever the length", () => {
  const crcOf = (text: Buffer): Buffer => {
    const bytes = Buffer.concat([Buffer.from(".."), text, Buffer.alloc(8)]);
    writeCrc64(bytes, 2, 2 + text.length);
    return bytes.subarray(2 + text.length);
  };
  expect(crcOf(Buffer.from("123456789")).readBigUInt64LE().toString(16)).toBe("e9c6d914c4b8d9ca");
  for (let length = 0; length < 20; length += 1) {
    const text = bytesOf(12_345, length);
    // Of what ends in its own, it is 0.
    expect(crcOf(Buffer.concat([text, crcOf(text)]))).toEqual(Buffer.alloc(8));
  }
});

describe("a ready-made bucket", () => {
  test.each([
    [1, 1],
    [2, 1],
    [3, 5],
    [4, 6],
    [2, 11],
    [2, 12],
    [160, 1],
    [200, 3],
    [512, 1],
    [9, 93],
    [512, 4],
  ])("of %i users with %i coupons each is to the byte what live scripts make", async (users, perUser) => {
    const coupons = couponsOf(users, perUser);
    const [live, ready] = [uniqueName("live"), uniqueName("ready")];
    await writeLive(live, coupons);
    const payload = readyBucket(wordsOf(coupons), 0, coupons.length);
    await redis.restore(ready, 0, payload as Buffer);
    expect(await redis.object("ENCODING", live)).toBe("listpack");
    expect(await redis.object("ENCODING", ready)).toBe("listpack");
    expect(await redis.dumpBuffer(ready)).toEqual(await redis.dumpBuffer(live));
    await redis.del(live, ready);
  });

  test("begins and ends where it is told", () => {
    const coupons = couponsOf(30, 2);
    const part = readyBucket(wordsOf(coupons.slice(10, 40)), 0, 30);
    expect(readyBucket(wordsOf(coupons), 10, 40)).toEqual(part);
  });

  test("is not made where live scripts make no listpack, or one with numbers", () => {
    const made = (coupons: Coupon[]) => readyBucket(wordsOf(coupons), 0, coupons.length) !== null;
    expect(made(couponsOf(513, 1))).toBe(false);
    expect(made(couponsOf(2, 94))).toBe(false);
    const one = { field: bytesOf(1, 6), serial: 1, keyHash: bytesOf(1, 8) };
    for (const field of ["123456", "-12345", "000000"])
      expect(made([...couponsOf(3, 1), { ...one, field: Buffer.from(field) }])).toBe(false);
    for (const field of ["12345a", "+12345", "1.5e10"])
      expect(made([{ ...one, field: Buffer.from(field.slice(0, 6)) }])).toBe(true);
    const digits = { ...one, serial: 0x313233, keyHash: Buffer.from("12345678") };
    expect(made([digits])).toBe(false);
    expect(made([digits, digits])).toBe(true);
  });
});
