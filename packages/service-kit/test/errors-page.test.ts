import { readFileSync } from "node:fs";
import { refusals } from "@coupon/domain";
import { expect, test } from "vitest";
import { errorsPage } from "../src/problems/errors-page.ts";
import { guide } from "../src/problems/guide/index.ts";

const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
const headings = [...page.matchAll(/^## (\S+)$/gm)].map((match) => match[1]);

test("docs/errors.md has a section for each code of the catalogue, in its order, and none besides", () => {
  expect(headings).toEqual(Object.keys(refusals));
});

test("the guide covers the catalogue and nothing else", () => {
  expect(Object.keys(guide).sort()).toEqual(Object.keys(refusals).sort());
});

test("every code says what it means, when it comes and what to do, in sentences", () => {
  for (const guidance of Object.values(guide)) {
    for (const text of Object.values(guidance)) expect(text).toMatch(/^[A-Z`].{4,}[.]$/);
  }
});

test("docs/errors.md is what the generator writes", () => {
  expect(page).toBe(errorsPage());
});
