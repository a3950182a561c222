import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { BatchDefinition, Discount, Entry, EntryKind, Marker, ShardRules } from "@coupon/domain";
import fc from "fast-check";
import type { Static } from "typebox";
import { describe, expect, expectTypeOf, test } from "vitest";
import { readLogMessage } from "../src/headers.ts";
import {
  decodeLogPositions,
  encodeLogPosition,
  entryKinds,
  MessageInvalid,
  openSecret,
  publishedSchemas,
  type RulesApplied,
  readEntry,
  readSecretsKey,
  SealedSecretUnreadable,
  sealSecret,
} from "../src/index.ts";
import type { batchSchema, rulesAppliedSchema } from "../src/schemas/definitions.ts";
import type { entrySchemas, markerSchema } from "../src/schemas/entry.ts";

const discount: Discount = { discount: 5, currency: "USD", lines: [{ lineId: "l", quantity: 1, discount: 5 }] };
const rules: ShardRules = {
  version: 1,
  state: "issuing",
  revoked: false,
  fromMs: 0,
  untilMs: 1,
  allotment: 10,
  perDay: null,
  perUser: 1,
  perUserPerDay: 2,
  buckets: 64,
};
const coupon = { serial: 1, userId: "u", callerId: "c", orderId: "o" };
const base = { v: 1, batch: 7, shard: 0, number: 1, at: 1_700_000_000_000, prev: "" } as const;
const hex = "0123456789abcdef";
const entries: { [Kind in EntryKind]: Extract<Entry, { kind: Kind }> } = {
  issue: { ...base, kind: "issue", day: 1_699_920_000_000, items: [[0, "u", "c", hex, "g"]] },
  lock: { ...base, kind: "lock", items: [{ ...coupon, payload: hex, untilMs: 1, discount }] },
  redeem: { ...base, kind: "redeem", items: [{ ...coupon, payload: "", discount }] },
  release: { ...base, kind: "release", items: [{ ...coupon, held: false }] },
  reverse: {
    ...base,
    kind: "reverse",
    items: [
      {
        ...coupon,
        reversalId: "r",
        keyHash: hex,
        payload: hex,
        reason: "naïve",
        reversed: discount,
        remaining: 0,
        restored: true,
      },
    ],
  },
  deactivate: { ...base, kind: "deactivate", items: [{ serial: 1, reason: "" }] },
  rules: { ...base, kind: "rules", rules },
  debit: { ...base, kind: "debit", target: 1, amount: 2, transfer: 1 },
  credit: { ...base, kind: "credit", source: 1, amount: 2, transfer: 1 },
  correct: {
    ...base,
    kind: "correct",
    correction: {
      correctionId: "cor_1",
      stores: ["redis"],
      serials: [3],
      reason: "a slot was lost",
      proposedBy: "ann",
      approvedBy: "bob",
    },
  },
};

describe("schemas", () => {
  test("are the domain's types, both ways", () => {
    type Schemas = typeof entrySchemas;
    expectTypeOf<Static<Schemas[keyof Schemas]>>().toExtend<Entry>();
    expectTypeOf<Entry>().toExtend<Static<Schemas[keyof Schemas]>>();
    expectTypeOf<Static<typeof markerSchema>>().toExtend<Marker>();
    expectTypeOf<Marker>().toExtend<Static<typeof markerSchema>>();
    expectTypeOf<Static<typeof batchSchema>>().toExtend<BatchDefinition>();
    expectTypeOf<BatchDefinition>().toExtend<Static<typeof batchSchema>>();
    expectTypeOf<Static<typeof rulesAppliedSchema>>().toExtend<RulesApplied>();
    expectTypeOf<RulesApplied>().toExtend<Static<typeof rulesAppliedSchema>>();
  });

  test("are published as the code has them: `pnpm generate` writes them anew", () => {
    const folder = new URL("../schemas/", import.meta.url);
    const files = readdirSync(folder).map((name) => [
      name.replace(/\.json$/, ""),
      JSON.parse(readFileSync(new URL(name, folder), "utf8")),
    ]);
    expect(Object.fromEntries(files)).toEqual(JSON.parse(JSON.stringify(Object.fromEntries(publishedSchemas()))));
  });

  test.each(entryKinds)("take an entry of the kind %s, and one with a field more", (kind) => {
    expect(readEntry(JSON.stringify(entries[kind]))).toEqual(entries[kind]);
    expect(() => readEntry(JSON.stringify({ ...entries[kind], added: 1 }))).not.toThrow();
  });

  test.each(entryKinds)("refuse an entry of the kind %s where any field is missing", (kind) => {
    for (const field of Object.keys(entries[kind])) {
      const text = JSON.stringify({ ...entries[kind], [field]: undefined });
      expect(() => readEntry(text), field).toThrow(MessageInvalid);
    }
  });

  test.each([
    "",
    "null",
    "[]",
    "{}",
    '{"kind":"other"}',
    JSON.stringify({ ...entries.issue, v: 2 }),
    JSON.stringify({ ...entries.issue, items: [] }),
    JSON.stringify({ ...entries.issue, number: 0 }),
    JSON.stringify({ ...entries.debit, amount: 1.5 }),
    JSON.stringify({ ...entries.debit, amount: -1 }),
  ])("refuse %s", (text) => {
    expect(() => readEntry(text)).toThrow(MessageInvalid);
  });
});

describe("a message of the log", () => {
  const headers = (over: object) => ({
    ce_type: Buffer.from("coupon.entry.lock.v1"),
    ce_id: Buffer.from("7.3.21"),
    epoch: Buffer.from("900"),
    ...over,
  });
  const read = (over: object, value: Buffer | null = Buffer.from("{}")) =>
    readLogMessage({ offset: "12", value, headers: headers(over) });

  test("is read from its headers", () => {
    expect(read({})).toEqual({
      offset: 12,
      epoch: 900,
      marker: null,
      batch: 7,
      shard: 3,
      number: 21,
      kind: "lock",
      text: "{}",
    });
  });

  test.each([
    ["no epoch", { epoch: undefined }],
    ["an epoch that is no number", { epoch: Buffer.from("-1") }],
    ["an epoch beyond what is safe", { epoch: Buffer.from("9".repeat(17)) }],
    ["another kind", { ce_type: Buffer.from("coupon.entry.other.v1") }],
    ["a later version", { ce_type: Buffer.from("coupon.entry.lock.v2") }],
    ["half an id", { ce_id: Buffer.from("7.3") }],
    ["another id", { ce_id: Buffer.from("7.x.1") }],
    ["a marker that can't be read", { ce_type: Buffer.from("coupon.marker.v1") }],
    ["headers twice", { epoch: [Buffer.from("1"), Buffer.from("2")] }],
  ])("with %s has no epoch, and so never counts", (_, over) => {
    expect(read(over)).toMatchObject({ epoch: null, marker: null, batch: -1, shard: -1, number: -1 });
  });

  test("without headers or a value is taken as it is", () => {
    expect(readLogMessage({ offset: "1", value: null })).toMatchObject({ offset: 1, epoch: null, text: "" });
  });
});

describe("a position", () => {
  test("is read back, of each partition the furthest", () => {
    const position = fc.tuple(fc.nat(99_999), fc.integer({ min: 0, max: 10 ** 15 - 1 }));
    fc.assert(
      fc.property(fc.array(position, { minLength: 1, maxLength: 64 }), (positions) => {
        const furthest = new Map<number, number>();
        for (const [partition, offset] of positions) {
          furthest.set(partition, Math.max(offset, furthest.get(partition) ?? 0));
        }
        const text = positions.map(([partition, offset]) => encodeLogPosition(partition, offset)).join(",");
        expect(decodeLogPositions(text)).toEqual(furthest);
      }),
    );
  });

  test.each([
    "",
    ",",
    "p1-2",
    "cDEtMg==",
    Buffer.from("p01-2").toString("base64url"),
    `${encodeLogPosition(1, 2)},`,
    "🎟",
  ])("is not %j", (text) => {
    expect(decodeLogPositions(text)).toBeNull();
  });

  test("is never one of too many", () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => encodeLogPosition(i, i)).join(",");
    expect(decodeLogPositions(many(64))?.size).toBe(64);
    expect(decodeLogPositions(many(65))).toBeNull();
  });

  test("of any text is read or refused, never thrown at", () => {
    fc.assert(fc.property(fc.string(), (text) => void decodeLogPositions(text)));
  });
});

describe("a sealed secret", () => {
  const key = randomBytes(32);

  test("opens with the same key and context, and looks different each time", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (plain, context) => {
        const sealed = sealSecret(key, plain, context);
        expect(openSecret(key, sealed, context)).toBe(plain);
        expect(sealSecret(key, plain, context)).not.toBe(sealed);
      }),
    );
  });

  test("does not open with anything changed", () => {
    const sealed = sealSecret(key, "hush", "shop/live_1");
    const bytes = Buffer.from(sealed.slice(3), "base64url");
    for (let i = 0; i < bytes.length; i += 1) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] as number) ^ 1;
      expect(() => openSecret(key, `v1.${changed.toString("base64url")}`, "shop/live_1")).toThrow(
        SealedSecretUnreadable,
      );
    }
    for (const text of ["", "v1.", "v2.abc", sealed.slice(3), sealed.slice(0, 20)]) {
      expect(() => openSecret(key, text, "shop/live_1")).toThrow(SealedSecretUnreadable);
    }
    expect(() => openSecret(randomBytes(32), sealed, "shop/live_1")).toThrow("is not the key that sealed it");
    expect(() => openSecret(key, sealed, "shop/live_2")).toThrow(SealedSecretUnreadable);
  });

  test("needs a key of 32 bytes, which an error never repeats", () => {
    expect(readSecretsKey(key.toString("base64"))).toEqual(key);
    expect(() => readSecretsKey("c2hvcnQ=")).toThrow("CALLER_SECRETS_KEY must be base64 of 32 bytes; it is of 5.");
  });
});
