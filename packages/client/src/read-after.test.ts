import { expect, test } from "vitest";
import { ReadAfter } from "./read-after.ts";

test("remembers positions once each, until a read has waited for them", () => {
  const readAfter = new ReadAfter();
  expect(readAfter.header()).toBeUndefined();
  readAfter.note("a, b");
  readAfter.note("b");
  readAfter.note(undefined);
  const header = readAfter.header();
  expect(header).toBe("a,b");
  readAfter.note("c");
  readAfter.settled(header);
  expect(readAfter.header()).toBe("c");
});

test("is bounded: the oldest are forgotten", () => {
  const readAfter = new ReadAfter();
  for (let i = 0; i < 1_000; i++) readAfter.note(`p-${i}`);
  const positions = readAfter.header()?.split(",") as string[];
  expect(positions).toHaveLength(64);
  expect(positions.at(-1)).toBe("p-999");
});
