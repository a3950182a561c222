import type { Entry } from "@coupon/domain";
import { describe, expect, it } from "vitest";
import { countAfter, EMPTY_COUNT, effectOf, leftOf } from "../shard-count.ts";
import { newProof, proveShard, type ShardProof } from "./prove-shard.ts";
import { ShardTally } from "./shard-tally.ts";

const rules = {
  ...{ version: 1, state: "issuing" as const, revoked: false, fromMs: 0, untilMs: 9e12, allotment: 100 },
  ...{ perDay: null, perUser: 5, perUserPerDay: null, buckets: 2 },
};
const hashOf = (number: number): string => (number === 0 ? "" : `hash ${number}`);
const base = (number: number) => ({
  v: 1 as const,
  batch: 7,
  shard: 0,
  number,
  at: 1_000 + number,
  prev: hashOf(number - 1),
});
/** The shard's life: rules, then one coupon an entry. */
const entryOf = (number: number): Entry =>
  number === 1
    ? { ...base(1), kind: "rules", rules }
    : { ...base(number), kind: "issue", day: 0, items: [[number - 2, "ann", "shop", "00000000000000aa", "c"]] };
const effects = Array.from({ length: 20 }, (_, index) => effectOf(entryOf(index + 1), hashOf(index + 1)));
const counts = [EMPTY_COUNT];
for (const effect of effects) counts.push(countAfter(counts.at(-1) ?? EMPTY_COUNT, effect));

const rowAt = (number: number, change = {}) => ({
  ...{ batch: 7, shard: 0, partition: 0 },
  ...(counts[number] ?? EMPTY_COUNT),
  ...change,
});
const headerAt = (number: number, change = {}) => {
  const count = counts[number] ?? EMPTY_COUNT;
  const { hash, atMs, issued: nextSerial, dayStartMs } = count;
  return {
    ...{ epoch: 1, number, hash, atMs, nextSerial, left: leftOf(count), durable: 0, durableOffset: 0, dayStartMs },
    ...{ dayFirst: count.issued - count.dayIssued, rules: count.rules, debits: [], credits: [], correctionId: null },
    ...change,
  };
};

function started() {
  const tally = new ShardTally(7, 0, 0);
  const proof: ShardProof = newProof(rowAt(0));
  let applied = 0;
  return {
    proof,
    tally,
    apply(upTo: number) {
      for (; applied < upTo; applied += 1) tally.add(effects[applied] as (typeof effects)[number]);
    },
    round: (row: number, header: number | null, change: { row?: object; header?: object } = {}) => {
      const read = { books: rowAt(row, change.row), header: header === null ? null : headerAt(header, change.header) };
      proveShard(proof, tally, read, 1);
      return proof.state;
    },
  };
}

describe("a round of the proof", () => {
  it("compares row and header at entries of their own", () => {
    const { apply, round, proof } = started();
    round(0, 0);
    apply(10);
    expect(round(4, 9)).toBe("proven");
    expect(proof).toMatchObject({ number: 4, given: 100, issued: 8, left: 92 });
    apply(20);
    expect(round(12, 10)).toBe("proven");
  });

  it("keeps a header that is ahead of the log until the log has got there", () => {
    const { apply, round, proof } = started();
    round(0, 0);
    apply(5);
    round(5, 8);
    expect([proof.ahead?.number, proof.drifts]).toEqual([8, []]);
    apply(9);
    expect(round(9, 15)).toBe("proven");
    expect(proof.issued).toBe(7);
  });

  it("suspects first, and is certain when two rounds in a row find the same, wherever the counter has got to", () => {
    const { apply, round, proof } = started();
    round(0, 0);
    apply(5);
    expect(round(5, 5, { header: { left: 96 + 1 } })).toBe("waiting");
    apply(6);
    expect(round(6, 6, { header: { left: 95 + 1 } })).toBe("drifting");
    expect(proof.drifts).toEqual([{ store: "redis", counter: "left", expected: 95, found: 96 }]);
    expect(round(6, 6)).toBe("proven");
  });

  it("forgets a suspicion that is not found again", () => {
    const { apply, round } = started();
    round(0, 0);
    apply(5);
    round(5, 5, { row: { issued: 5 } });
    expect(round(5, 5)).toBe("proven");
    expect(round(5, 5, { row: { discounted: 1 } })).toBe("waiting");
  });

  it("proves nothing while Redis has no such shard or is behind what was proven, and blames nobody", () => {
    const { apply, round, proof } = started();
    round(0, 0);
    apply(9);
    expect(round(9, 9)).toBe("proven");
    expect(round(9, null)).toBe("waiting");
    expect(round(9, 3)).toBe("waiting");
    expect(proof.drifts).toEqual([]);
  });

  it.each([
    ["beyond what log and Redis have", { number: 12 }],
    ["beyond what log and Redis have, with another hash", { number: 12, hash: "another" }],
    ["of an entry that was proven long ago", { number: 5 }],
    ["of an entry that was proven long ago, with its hash", { number: 5, hash: hashOf(5) }],
  ])("finds a row whose number is %s, and is done with it when that is over", (_, change) => {
    const { apply, round, proof } = started();
    round(0, 0);
    apply(9);
    expect(round(9, 9)).toBe("proven");
    expect(round(9, 9, { row: change })).toBe("waiting");
    expect(round(9, 9, { row: change })).toBe("drifting");
    expect(proof.drifts).toEqual([{ store: "postgresql", counter: "number", expected: 9, found: change.number }]);
    apply(10);
    expect(round(10, 10)).toBe("proven");
  });

  it.each([12, 5])("finds a row whose number is another when nothing else is known, %d", (number) => {
    const { round, proof } = started();
    round(9, 9, { row: { number } });
    expect(round(9, 9, { row: { number } })).toBe("drifting");
    expect(proof.drifts).toEqual([{ store: "postgresql", counter: "number", expected: 9, found: number }]);
    expect(round(9, 9)).toBe("proven");
  });

  it("begins anew where entries were applied elsewhere", () => {
    const { round } = started();
    round(0, 0);
    expect(round(8, 8)).toBe("waiting");
    round(9, 9);
    expect(round(9, 9)).toBe("proven");
  });
});
