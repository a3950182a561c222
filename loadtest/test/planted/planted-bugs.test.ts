import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkHistory, type Finding } from "@coupon/history";
import { REPOSITORY } from "@coupon/testkit";
import { describe, expect, test } from "vitest";
import { type PlantedBug, plantedBugs } from "./bugs.ts";
import { bugsTable } from "./bugs-table.ts";
import { type PhaseName, phases } from "./phases.ts";
import { World } from "./world.ts";

/** Runs the phases against real processes and stores, one of the processes mutated where a bug is given. */
async function findingsOf(names: readonly PhaseName[], bug: PlantedBug | null): Promise<Finding[]> {
  const world = new World(bug);
  try {
    await world.start();
    for (const name of names) await phases[name](world);
    return checkHistory(await world.history());
  } finally {
    await world.close();
  }
}

test.each(plantedBugs)("the text that $id mutates occurs exactly once", ({ file, find, replace }) => {
  const source = readFileSync(join(REPOSITORY, file), "utf8");
  expect(source.split(find).length - 1).toBe(1);
  expect(replace).not.toBe(find);
});

test("there are at least 20, each with an id of its own", () => {
  expect(plantedBugs.length).toBeGreaterThanOrEqual(20);
  expect(new Set(plantedBugs.map(({ id }) => id)).size).toBe(plantedBugs.length);
});

test("the page lists them as they are", () => {
  expect(readFileSync(join(REPOSITORY, "docs/history-checker.md"), "utf8")).toContain(bugsTable());
});

describe.concurrent("without a bug nothing is found", () => {
  const runs = [...new Map(plantedBugs.map((bug) => [bug.phases.join(" "), bug.phases])).values()];
  test.for(runs.map((names) => ({ names })))("$names", async ({ names }, { expect }) => {
    expect(await findingsOf(names, null)).toEqual([]);
  });
});

describe.concurrent("with a planted bug", () => {
  test.for(plantedBugs)("$id: $what", async (bug, { expect }) => {
    const findings = await findingsOf(bug.phases, bug);
    const promises = new Set(findings.map(({ promise }) => promise));
    expect(
      bug.found.filter((promise) => promises.has(promise)),
      JSON.stringify(findings.slice(0, 5)),
    ).not.toEqual([]);
  });
});
