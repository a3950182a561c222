import { parseStrictJson } from "../src/http/strict-json.ts";
import { problemText } from "../src/index.ts";
import { createMetrics } from "../src/metrics/create-metrics.ts";

/** Prints what the small parts on every request's way cost. Run: `node bench/parts.ts`. */

const body = Buffer.from('{"userId":"household-2375","context":{"ip":"1.2.3.4"}}');
const grants = Buffer.from(
  JSON.stringify({
    grants: Array.from({ length: 500 }, (_, i) => ({ idempotencyKey: `batch-26-${i}`, userId: `household-${i}` })),
  }),
);
const meter = createMetrics("bench").meterFor("POST", "/v1/batches/:batchId/claims");
const limit = { name: "stock", scope: "batch", max: 1_000, used: 1_000 };

function measure(name: string, count: number, run: () => unknown): void {
  const micros: number[] = [];
  for (let round = 0; round < 9; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) run();
    micros.push(((performance.now() - start) * 1000) / count);
  }
  const sorted = micros.slice(2).sort((a, b) => a - b);
  console.log(`${name}: ${sorted[3]?.toFixed(3)} µs (${sorted[0]?.toFixed(3)}–${sorted.at(-1)?.toFixed(3)})`);
}

console.log(`Node ${process.version}`);
measure(`strict JSON, ${body.length} bytes`, 200_000, () => parseStrictJson(body));
measure(`JSON.parse alone, ${body.length} bytes`, 200_000, () => JSON.parse(body.toString()));
measure(`strict JSON, ${grants.length} bytes`, 500, () => parseStrictJson(grants));
measure(`JSON.parse alone, ${grants.length} bytes`, 500, () => JSON.parse(grants.toString()));
measure("count an answer", 500_000, () => meter.observe(201, 3));
measure("problem text, nothing varies", 500_000, () => problemText({ code: "stock_exhausted" }));
measure("problem text with a limit", 500_000, () => problemText({ code: "stock_exhausted", limit }));
