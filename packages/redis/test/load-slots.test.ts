import { describe, expect, test } from "vitest";
import { UserDigests, uint32At, userDigest } from "../src/hashes.ts";
import { ChunkCursor, CouponRun } from "../src/load-run.ts";
import { slotsCalls } from "../src/load-slots.ts";
import { SeenFields } from "../src/seen-fields.ts";
import { toChunk } from "./support/image.ts";

const hashKey = Buffer.alloc(32, 7);
const [batch, buckets] = [7, 3];

/** Slots as Redis has them after the calls: by bucket and field. */
function applied(run: CouponRun, wide: boolean, slots: Map<string, string>): void {
  for (const { buckets: named, bytes, width: couponBytes } of slotsCalls(run, wide)) {
    const width = 6 + couponBytes;
    let at = 0;
    for (const bucket of named) {
      const count = (bytes[at] ?? 0) + (bytes[at + 1] ?? 0);
      const isNew = bytes[at] ?? 0;
      at += 2;
      for (let i = 0; i < count; i += 1, at += width) {
        const slot = `${bucket}/${bytes.toString("hex", at, at + 6)}`;
        if (i < isNew && slots.has(slot)) throw new Error(`${slot} is called new and is there`);
        slots.set(slot, (slots.get(slot) ?? "") + bytes.toString("hex", at + 6, at + width));
      }
    }
    expect(at).toBe(bytes.length);
  }
}

describe("coupons sorted by bucket", () => {
  test("make each user's slot in the order of serials, over runs and over the border of wide serials", () => {
    const start = 0xc00000 - 1_000;
    const users = Array.from({ length: 5_000 }, (_, i) => `u${(i * 7_919) % 3_100}`);
    const keyHash = (i: number) => i.toString(16).padStart(16, "0");
    const expected = new Map<string, string>();
    users.forEach((userId, i) => {
      const user = userDigest(hashKey, batch, userId);
      const slot = `${uint32At(user, 4) % buckets}/${Buffer.from(user.slice(8, 14), "latin1").toString("hex")}`;
      const serial = start + i;
      const bytes = serial < 0xc00000 ? serial.toString(16).padStart(6, "0") : (serial + 0xc0000000).toString(16);
      expected.set(slot, (expected.get(slot) ?? "") + bytes + keyHash(i));
    });
    const chunk = toChunk(
      users.map((userId, i) => ({
        serial: start + i,
        userId,
        keyHash: keyHash(i),
        issuedAtSeconds: 1,
        touched: "no",
      })),
    );
    const found = new Map<string, string>();
    const [seen, digests] = [new SeenFields(users.length), new UserDigests(hashKey, batch)];
    const cursor = new ChunkCursor(chunk);
    for (const size of [600, 400, 1_500, 1_500, 1_000]) {
      const run = new CouponRun({ digests, buckets, size, seen });
      const wide = start + cursor.index >= 0xc00000;
      while (!run.full) run.add(cursor, 256);
      applied(run, wide, found);
    }
    expect(cursor.left).toBe(0);
    expect(found).toEqual(expected);
  });
});

describe("fields that were seen", () => {
  test("are never called new again; few others are called seen", () => {
    const seen = new SeenFields(10_000);
    const hashes = Array.from({ length: 10_000 }, (_, i) => uint32At(userDigest(hashKey, batch, `u${i}`), 8));
    const mistaken = hashes.filter((hash) => seen.add(hash)).length;
    expect(mistaken).toBeLessThan(700);
    expect(hashes.every((hash) => seen.add(hash))).toBe(true);
  });
});
