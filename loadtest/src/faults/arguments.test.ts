import { expect, test } from "vitest";
import { readArguments } from "./arguments.ts";

test("reads how many schedules and from which seed on", () => {
  expect(readArguments(["--", "--seeds", "200", "--start", "1000"])).toEqual({ seeds: 200, start: 1000, seconds: 0 });
});

test.each([
  [["--seeds", "0"], /--seeds is a whole number from 1/],
  [["--start", "-1"], /start/],
  [["--start", "1.5"], /--start is a whole number/],
  [["--unknown"], /unknown/],
])("refuses %j", (args, sentence) => {
  expect(() => readArguments(args)).toThrow(sentence);
});
