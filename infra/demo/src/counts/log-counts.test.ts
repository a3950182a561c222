import type { LogMessage } from "@coupon/events";
import { expect, test } from "vitest";
import { sumCounts } from "./counts.ts";
import { LogTally } from "./log-counts.ts";

const marker = (offset: number): LogMessage => ({
  offset,
  epoch: null,
  marker: { v: 1, kind: "marker", owner: "a", at: 1 },
  batch: -1,
  shard: -1,
  number: -1,
  kind: "issue",
  text: "",
});

function entry(offset: number, epoch: number, number: number, kind: "issue" | "redeem", serials: number[]): LogMessage {
  const items = serials.map((serial) => (kind === "issue" ? [serial, "u", "c", "0", "g"] : { serial }));
  const text = JSON.stringify({ kind, items });
  return { offset, epoch, marker: null, batch: 7, shard: 0, number, kind, text };
}

test("counts each entry once, whatever zombies and re-sends have written", () => {
  const tally = new LogTally();
  tally.beginPartition();
  const messages = [
    marker(0),
    entry(1, 0, 1, "issue", [1, 2, 3]),
    entry(2, 0, 1, "issue", [1, 2, 3]),
    marker(3),
    entry(4, 0, 2, "issue", [4]),
    entry(5, 3, 2, "issue", [4, 5]),
    entry(6, 3, 3, "redeem", [1]),
    entry(7, 3, 4, "redeem", [1, 2]),
  ];
  for (const message of messages) tally.add(message);
  expect(tally.counts.get(7)).toEqual({ issued: 5, redeemed: 2 });
  expect(sumCounts(tally.counts, [7, 8])).toEqual({ issued: 5, redeemed: 2 });
});

test("a gap is an error", () => {
  const tally = new LogTally();
  tally.beginPartition();
  tally.add(marker(0));
  expect(() => tally.add(entry(1, 0, 2, "issue", [1]))).toThrow("gap before entry 2 of shard 7.0");
});
