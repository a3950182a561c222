import { describe, expect, test } from "vitest";
import { etagOf, matches, parseIfMatch } from "./precondition.ts";

describe("If-Match", () => {
  test.each([
    ['"5"', true],
    [' "5" ', true],
    ['"4", "5"', true],
    ["*", true],
    ['"4"', false],
    ['W/"5"', false],
    ["5", false],
    ['"05"', false],
    ['"five"', false],
    ['"99999999999999999999"', false],
    ["", false],
  ])("%s matches version 5: %s", (header, expected) => {
    const precondition = parseIfMatch(header);
    expect(precondition !== null && matches(precondition, 5)).toBe(expected);
  });

  test("is null where it is missing, and takes back what an ETag gave", () => {
    expect(parseIfMatch(undefined)).toBeNull();
    const precondition = parseIfMatch(etagOf(7));
    expect(precondition !== null && matches(precondition, 7)).toBe(true);
  });
});
