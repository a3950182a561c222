import fc from "fast-check";
import { expect, it } from "vitest";
import { formatInstant, parseInstant } from "./instants.ts";

it("writes what Date writes, also when slots are shared", () => {
  const anyInstant = fc.oneof(
    fc.integer({ min: 0, max: 4_000_000_000_000 }),
    fc.integer({ min: 0, max: 3_000 }).map((seconds) => seconds * 1_024_000),
  );
  fc.assert(
    fc.property(fc.array(anyInstant, { minLength: 1, maxLength: 50 }), (instants) => {
      for (const atMs of [...instants, ...instants]) expect(formatInstant(atMs)).toBe(new Date(atMs).toISOString());
    }),
  );
});

it("reads what it writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (atMs) => {
      expect(parseInstant(formatInstant(atMs))).toBe(atMs);
    }),
  );
  expect(parseInstant("2026-02-28T23:59:59Z")).toBe(Date.UTC(2026, 1, 28, 23, 59, 59));
  expect(parseInstant("2026-01-01T00:00:00.5Z")).toBe(Date.UTC(2026, 0, 1, 0, 0, 0, 500));
});

it("reads nothing else", () => {
  const wrong = [
    "",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01 00:00:00Z",
    "2026-01-01",
    " 2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
    "+002026-01-01T00:00:00Z",
  ];
  for (const text of wrong) expect(parseInstant(text), text).toBeNull();
});
