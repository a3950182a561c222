import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CountableMessage,
  type Counting,
  countMessage,
  newPartitionCount,
  type ReadMessage,
  shardKey,
  toCountable,
} from "./count-message.ts";

type Unplaced = Omit<CountableMessage, "offset">;

const marker: Unplaced = { marker: true, epoch: -7, batch: 0, shard: 0, number: 0 };
const entry = (epoch: number, number: number, shard = 0): Unplaced => ({
  marker: false,
  epoch,
  batch: 1,
  shard,
  number,
});
const place = (messages: Unplaced[]): CountableMessage[] => messages.map((each, offset) => ({ ...each, offset }));

function judge(messages: Unplaced[]): Counting[] {
  const state = newPartitionCount();
  return place(messages).map((each) => countMessage(state, each));
}

describe("countMessage", () => {
  it("counts an owner's entries in order, shard by shard", () => {
    const judged = judge([marker, entry(0, 1), entry(0, 1, 5), entry(0, 2), entry(0, 2, 5)]);
    expect(judged).toEqual(["marker", "counts", "counts", "counts", "counts"]);
  });

  it("ignores entries before any marker", () => {
    expect(judge([entry(0, 1), entry(1, 1)])).toEqual(["stale", "stale"]);
  });

  it("ignores a zombie, who writes under the epoch before, also with the number that comes next", () => {
    const judged = judge([marker, entry(0, 1), marker, entry(0, 2), entry(2, 2), entry(0, 3)]);
    expect(judged).toEqual(["marker", "counts", "marker", "stale", "counts", "stale"]);
  });

  it("ignores an owner that lost the race for the last marker", () => {
    expect(judge([marker, marker, entry(0, 1), entry(1, 1)])).toEqual(["marker", "marker", "stale", "counts"]);
  });

  it("ignores an epoch of which the log has no marker, be it a later one", () => {
    expect(judge([marker, entry(7, 1), entry(1, 1), entry(Number.NaN, 1), entry(0, 1)])).toEqual([
      "marker",
      ...["stale", "stale", "stale"],
      "counts",
    ]);
  });

  it("ignores what is sent again and takes a re-send under the new epoch for what never counted", () => {
    const judged = judge([marker, entry(0, 1), entry(0, 1), marker, entry(3, 1), entry(3, 2), entry(3, 2)]);
    expect(judged).toEqual(["marker", "counts", "duplicate", "marker", "duplicate", "counts", "duplicate"]);
  });

  it("calls a skipped number a gap and stays where it is", () => {
    const state = newPartitionCount();
    const judged = place([marker, entry(0, 1), entry(0, 3), entry(0, 2)]).map((each) => countMessage(state, each));
    expect(judged).toEqual(["marker", "counts", "gap", "counts"]);
    expect(state).toEqual({ epoch: 0, shards: new Map([["1.0", 2]]) });
  });

  it("goes on from a stored position", () => {
    const state = newPartitionCount(40, [["1.0", 7]]);
    expect(countMessage(state, { ...entry(40, 8), offset: 55 })).toBe("counts");
    expect(countMessage(state, { ...entry(40, 8), offset: 56 })).toBe("duplicate");
  });
});

describe("toCountable", () => {
  const neither: ReadMessage = { offset: 0, epoch: null, marker: null, batch: -1, shard: -1, number: -1 };
  const begins: ReadMessage = { ...neither, marker: { v: 1, kind: "marker", owner: "me", at: 0 } };
  const follows: ReadMessage = { offset: 1, epoch: 0, marker: null, batch: 1, shard: 0, number: 1 };

  it("lets a marker begin an epoch, and an entry count under it", () => {
    const state = newPartitionCount();
    expect([begins, follows].map((each) => countMessage(state, toCountable(each)))).toEqual(["marker", "counts"]);
    expect(state).toEqual({ epoch: 0, shards: new Map([["1.0", 1]]) });
  });

  it("lets what is neither marker nor entry count nowhere, whatever number it seems to have", () => {
    for (const epoch of [-2, -1, 0, 5]) {
      const state = newPartitionCount(epoch);
      for (const number of [-1, 0, 1]) {
        expect(countMessage(state, toCountable({ ...neither, offset: 9, number }))).toBe("stale");
      }
      expect(state).toEqual({ epoch, shards: new Map() });
    }
  });

  it("takes no more of a message than counting needs", () => {
    const read = { ...follows, text: "{}", kind: "issue" };
    expect(toCountable(read)).toEqual({ offset: 1, epoch: 0, marker: false, batch: 1, shard: 0, number: 1 });
  });
});

type Step =
  | { what: "take over" }
  | { what: "write"; shard: number }
  | { what: "send again"; shard: number; back: number }
  | { what: "zombie"; shard: number; number: number };

const shard = fc.nat(2);
const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ what: fc.constant("take over" as const) }) },
    { weight: 6, arbitrary: fc.record({ what: fc.constant("write" as const), shard }) },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant("send again" as const), shard, back: fc.integer({ min: 1, max: 3 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant("zombie" as const), shard, number: fc.integer({ min: 1, max: 9 }) }),
    },
  ),
  { maxLength: 60 },
);

/**
 * A log as owners, zombies and re-sends could leave it: the owner in office writes densely, sends some
 * of its entries again, and the owner before it writes any number. `truth` is what has to count.
 */
const anyLog = anySteps.map((steps) => {
  const log: Unplaced[] = [];
  const written = [0, 0, 0];
  const truth: string[] = [];
  let epoch = -1;
  let previous = -1;
  for (const step of steps) {
    if (step.what === "take over") {
      previous = epoch;
      epoch = log.length;
      log.push(marker);
    } else if (step.what === "zombie") {
      log.push(entry(previous, step.number, step.shard));
    } else if (epoch >= 0) {
      const last = written[step.shard] as number;
      const number = step.what === "write" ? last + 1 : last + 1 - step.back;
      if (step.what === "write") {
        written[step.shard] = number;
        truth.push(`${step.shard}:${number}@${log.length}`);
      }
      if (number >= 1) log.push(entry(epoch, number, step.shard));
    }
  }
  return { log: place(log), truth, written };
});

describe("over any log of owners, zombies and re-sends", () => {
  it("counts exactly what the owners in office wrote first, dense and in order", () => {
    fc.assert(
      fc.property(anyLog, ({ log, truth, written }) => {
        const state = newPartitionCount();
        const counted: string[] = [];
        for (const message of log) {
          const counting = countMessage(state, message);
          expect(counting).not.toBe("gap");
          if (counting === "counts") counted.push(`${message.shard}:${message.number}@${message.offset}`);
        }
        expect(counted).toEqual(truth);
        for (const [shard, number] of written.entries()) {
          expect(state.shards.get(shardKey(1, shard)) ?? 0).toBe(number);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("comes to the same count when a stretch is read again, from wherever", () => {
    fc.assert(
      fc.property(anyLog, fc.nat(60), fc.nat(60), ({ log }, stop, back) => {
        const once = newPartitionCount();
        for (const message of log) countMessage(once, message);
        const again = newPartitionCount();
        const seen = log.slice(0, stop);
        const counted = seen.filter((message) => countMessage(again, message) === "counts");
        for (const message of log.slice(Math.max(0, seen.length - back))) {
          if (countMessage(again, message) === "counts") counted.push(message);
        }
        expect(again).toEqual(once);
        expect(new Set(counted.map(({ offset }) => offset)).size).toBe(counted.length);
      }),
      { numRuns: 500 },
    );
  });
});
