import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkHistory, type Finding } from "@coupon/history";
import { REPOSITORY } from "@coupon/testkit";
import { describe, expect, test } from "vitest";
import { type PlantedBug, plantedBugs } from "./bugs.ts";
import { bugsTable } from "./bugs-table.ts";
import type { Mutation } from "./mutation.ts";
import { type PhaseName, phases } from "./phases.ts";
import { World } from "./world.ts";

/** Runs the phases against real processes and stores, one of the processes mutated where a bug is given. */
async function findingsOf(names: readonly PhaseName[], bugs: readonly Mutation[]): Promise<Finding[]> {
  const world = new World(bugs);
  try {
    await world.start();
    for (const name of names) await phases[name](world);
    return checkHistory(await world.history());
  } finally {
    await world.close();
  }
}

const mutationsOf = (bug: PlantedBug): Mutation[] => [bug, ...(bug.and === undefined ? [] : [bug.and])];

test.each(plantedBugs)("the text that $id mutates occurs exactly once", (bug) => {
  for (const { file, find, replace } of mutationsOf(bug)) {
    const source = readFileSync(join(REPOSITORY, file), "utf8");
    expect(source.split(find).length - 1).toBe(1);
    expect(replace).not.toBe(find);
  }
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
    expect(await findingsOf(names, [])).toEqual([]);
  });
});

describe.concurrent("with a planted bug", () => {
  test.for(plantedBugs)("$id: $what", async (bug, { expect }) => {
    const findings = await findingsOf(bug.phases, mutationsOf(bug));
    const promises = new Set(findings.map(({ promise }) => promise));
    const found = bug.found.filter((promise) => promises.has(promise));
    const told = JSON.stringify(findings.slice(0, 5));
    if (bug.all) expect(found, told).toEqual(bug.found);
    else expect(found, told).not.toEqual([]);
  });
});

describe.concurrent("where a guard stands behind another, either of them holds by itself", () => {
  const { phases: names, and, ...bug } = plantedBugs.find(({ id }) => id === "skip-script-epoch") as PlantedBug;
  test.for([bug, and as Mutation])("without the one in $file", async (mutation, { expect }) => {
    expect(await findingsOf(names, [mutation])).toEqual([]);
  });
});
