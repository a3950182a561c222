import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { HELD_BY_OTHERS, PROTOCOL, WITHOUT_ONE_GUARD } from "../src/checks.ts";
import { findTlc } from "../src/install-tlc.ts";
import { runTlc } from "../src/tlc.ts";

const SPECIFICATIONS = join(import.meta.dirname, "../spec");

beforeAll(() => findTlc());

describe("the protocol, within bounds", () => {
  test.concurrent.each([...PROTOCOL, ...HELD_BY_OTHERS])("$name: everything holds in every state", async (check) => {
    const found = await runTlc(check);
    expect(found.trace).toBe("");
    expect(found.violated).toBeNull();
    expect(found.states).toBeGreaterThan(500);
  });
});

describe("without one guard", () => {
  test.concurrent.each(WITHOUT_ONE_GUARD)("$name: $breaks breaks", async (check) => {
    const found = await runTlc(check);
    expect(found.violated).toBe(check.breaks);
    expect(found.steps.length).toBeGreaterThan(3);
  });

  test("every guard that a specification names is taken out by a check", () => {
    const texts = readdirSync(SPECIFICATIONS).map((file) => readFileSync(join(SPECIFICATIONS, file), "utf8"));
    const named = texts.flatMap((text) => [...text.matchAll(/Guarded\("(\w+)"\)/g)].map(([, guard]) => guard));
    const tried = new Set([...WITHOUT_ONE_GUARD.map(({ name }) => name), ...HELD_BY_OTHERS.flatMap(({ off }) => off)]);
    expect([...new Set(named)].sort()).toEqual([...tried].sort());
  });
});
