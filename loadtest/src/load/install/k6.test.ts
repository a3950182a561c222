import { expect, test } from "vitest";
import { isNewEnough } from "./k6.ts";

test("a Go older than k6 asks for is not used", () => {
  expect(isNewEnough("go version go1.19.8 linux/amd64")).toBe(false);
  expect(isNewEnough("go version go1.24.9 linux/amd64")).toBe(false);
  expect(isNewEnough("go version go1.25.0 linux/amd64")).toBe(true);
  expect(isNewEnough("go version go1.27.3 linux/arm64")).toBe(true);
  expect(isNewEnough("")).toBe(false);
});
