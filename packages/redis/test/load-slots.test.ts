import { describe, expect, test } from "vitest";
import { uint32At, userDigest } from "../src/hashes.ts";
import { SeenFields, SlotRun } from "../src/load-slots.ts";

const hashKey = Buffer.alloc(32, 7);
const [batch, buckets] = [7, 3];

/** Slots as Redis has them after the calls: by bucket and field. */
function applied(run: SlotRun, slots: Map<string, string>): void {
  for (const { buckets: named, packed } of run.calls()) {
    const width = packed.wide ? 18 : 17;
    let at = 0;
    for (const bucket of named) {
      const count = (packed.bytes[at] ?? 0) + (packed.bytes[at + 1] ?? 0);
      const isNew = packed.bytes[at] ?? 0;
      at += 2;
      for (let i = 0; i < count; i += 1, at += width) {
        const slot = `${bucket}/${packed.bytes.toString("hex", at, at + 6)}`;
        if (i < isNew && slots.has(slot)) throw new Error(`${slot} is called new and is there`);
        slots.set(slot, (slots.get(slot) ?? "") + packed.bytes.toString("hex", at + 6, at + width));
      }
    }
    expect(at).toBe(packed.bytes.length);
  }
}

describe("coupons sorted by bucket", () => {
  test("make each user's slot in the order of serials, over runs and over the border of wide serials", () => {
    const start = 0xc00000 - 1_000;
    const users = Array.from({ length: 5_000 }, (_, i) => `u${(i * 7_919) % 3_100}`);
    const keyHashes = Buffer.alloc(users.length * 8);
    const expected = new Map<string, string>();
    users.forEach((userId, i) => {
      keyHashes.writeUInt32BE(i, i * 8 + 4);
      const user = userDigest(hashKey, batch, userId);
      const slot = `${uint32At(user, 4) % buckets}/${Buffer.from(user.slice(8, 14), "latin1").toString("hex")}`;
      const serial = start + i;
      const bytes = serial < 0xc00000 ? serial.toString(16).padStart(6, "0") : (serial + 0xc0000000).toString(16);
      expected.set(slot, (expected.get(slot) ?? "") + bytes + keyHashes.toString("hex", i * 8, i * 8 + 8));
    });
    const chunk = { first: start, userIds: users, keyHashes, issuedAtSeconds: [], touched: new Uint8Array() };
    const found = new Map<string, string>();
    const seen = new SeenFields(users.length);
    const newRun = () => new SlotRun({ hashKey, batch, buckets, size: 1_500, seen });
    let run = newRun();
    for (let from = 0; from < users.length; ) {
      from += run.add(chunk, from);
      if (!run.full) continue;
      applied(run, found);
      run = newRun();
    }
    applied(run, found);
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
