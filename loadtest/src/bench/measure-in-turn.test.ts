import { expect, test } from "vitest";
import { MeasureFailed, measureInTurn } from "./measure-in-turn.ts";
import { type Measure, type MeasureId, toMeasure } from "./measures.ts";
import { printMeasured } from "./report.ts";

const task = (...ids: MeasureId[]) => ({
  ids,
  measure: async () => ids.map((id) => toMeasure(id, [1], "")),
});

test("what was measured before one that fails is kept, the failed one is named, and nothing follows it", async () => {
  const kept: Measure[] = [];
  const failing = { ids: ["overload"] as const, measure: async () => failToMeasure() };
  const tasks = [task("claim", "redeem"), failing, task("ledger")];
  const failed = await measureInTurn(tasks, (measure) => kept.push(measure)).catch((error: unknown) => error);
  expect(kept.map(({ id }) => id)).toEqual(["claim", "redeem"]);
  expect(failed).toBeInstanceOf(MeasureFailed);
  expect(failed).toMatchObject({ message: "overload could not be measured", cause: { message: "no core is free" } });
});

test("what was kept is printed in the table's order, and nothing where nothing was kept", () => {
  const kept = [toMeasure("take_over", [1.5], ""), toMeasure("claim", [0.9], "")];
  const { measures } = JSON.parse(printMeasured({ configuration: { cores: 2 }, measures: kept, json: true }) ?? "");
  expect(measures.map(({ id }: { id: string }) => id)).toEqual(["claim", "take_over"]);
  expect(printMeasured({ configuration: {}, measures: kept, json: false })).toMatch(/claim.*take_over/s);
  expect(printMeasured({ configuration: {}, measures: [], json: false })).toBeNull();
});

async function failToMeasure(): Promise<Measure[]> {
  throw new Error("no core is free");
}
