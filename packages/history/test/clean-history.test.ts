import { expect, test } from "vitest";
import { cleanHistory } from "../src/generate/index.ts";
import { checkHistory } from "../src/index.ts";

const OPERATIONS = Number(process.env.HISTORY_OPERATIONS ?? 1_000_000);

test(`finds nothing in a clean history of ${OPERATIONS} operations`, () => {
  const startedAt = performance.now();
  const history = cleanHistory({ seed: 1, operations: OPERATIONS });
  const madeAt = performance.now();
  expect(checkHistory(history)).toEqual([]);
  const seconds = (from: number, to: number) => ((to - from) / 1_000).toFixed(1);
  const megabytes = Math.round(process.memoryUsage().rss / 1_048_576);
  console.info(
    `${OPERATIONS} operations: made in ${seconds(startedAt, madeAt)} s, checked (and made once more) in ` +
      `${seconds(madeAt, performance.now())} s, ${megabytes} MB`,
  );
});

test.each([2, 3, 4, 5, 6, 7, 8, 9])("finds nothing in a clean history of the seed %i", (seed) => {
  expect(checkHistory(cleanHistory({ seed, operations: 20_000 }))).toEqual([]);
});
