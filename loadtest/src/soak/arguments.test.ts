import { expect, test } from "vitest";
import { readArguments } from "./arguments.ts";

test("half an hour unless told, and bounded in time and count", () => {
  expect(readArguments([])).toEqual({ minutes: 30, perSecond: 150, json: false });
  expect(readArguments(["--", "--minutes", "0.5", "--per-second", "20", "--json"])).toEqual({
    ...{ minutes: 0.5, perSecond: 20, json: true },
  });
  for (const minutes of ["0", "-1", "x", "241"]) expect(() => readArguments([`--minutes=${minutes}`])).toThrow();
  for (const rate of ["0", "1.5", "2001"]) expect(() => readArguments([`--per-second=${rate}`])).toThrow();
  expect(() => readArguments(["--minutes", "240", "--per-second", "100"])).toThrow("at most");
});
