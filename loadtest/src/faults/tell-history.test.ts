import type { LogEntry, Operation } from "@coupon/history";
import { expect, test } from "vitest";
import { Summary } from "./report.ts";
import type { Result } from "./run-schedule.ts";
import { drawSchedule, processId } from "./schedule.ts";
import { tellHistory } from "./tell-history.ts";

function claim(id: number, userId: string): Operation {
  return {
    ...{ id, callerId: "shop", client: "client-1", calledAtMs: 1_000 + id, returnedAtMs: 1_005 + id },
    ...{ op: "claim", request: { batchId: "batch-1", userId, idempotencyKey: "k" } },
    answer: { status: 201, body: {}, positions: [] },
  };
}

function entry(shard: number, number: number): LogEntry {
  const text = JSON.stringify({ v: 1, batch: 1, shard, number, kind: "issue", items: [[number, "user"]] });
  return { partition: 0, offset: number, epoch: 0, marker: null, batch: 1, shard, number, kind: "issue", text };
}

function resultWith(violations: Result["violations"]): Result {
  const fault = { kind: "redis-wipe", atMs: 3 } as const;
  return {
    ...{ schedule: drawSchedule(1), violations, beganAtMs: 1_000, outputs: "", tookMs: 1 },
    faults: [{ fault, fromMs: 1_003, toMs: 1_004, note: "", struck: 2, stuck: "" }],
    history: {
      ...{ batches: [], partitions: 1, ledger: null },
      operations: [claim(1, "ann"), claim(2, "bob"), claim(3, "ann")],
      log: [entry(0, 1), entry(0, 2), entry(1, 1)],
    },
  };
}

const place = { batch: 1, shard: 0, number: 2, partition: 0, offset: 2 };

test("tells the schedule, the faults, and what happened to whom the findings are about", () => {
  const finding = { promise: "lost", detail: "gone", operations: [1], entries: [place] } as const;
  const told = tellHistory(resultWith([{ ...finding, operations: [1], entries: [place] }])).join("\n");
  expect(told).toContain(`"seed":1,`);
  expect(told).toMatch(/3\.0 FAULT begins: .*redis-wipe/);
  expect(told).toMatch(/1\.0 #1 client-1 claim .*ann[\s\S]*6\.0 #1 -> 201[\s\S]*#3 /);
  expect(told).not.toContain("bob");
  expect(told).toContain(`"shard":0,"number":2`);
  expect(told).not.toContain(`"shard":0,"number":1`);
});

test("tells the entries of a shard or a coupon that a finding names in words alone", () => {
  const told = (detail: string) => tellHistory(resultWith([{ promise: "audit", detail }])).join("\n");
  expect(told("shard 1.1 has left 3 in Redis")).toContain(`"shard":1,"number":1`);
  expect(told("shard 1.1 has left 3 in Redis")).not.toContain(`"shard":0,`);
  expect(told("coupon 1.0.2 has 2 rows")).toContain(`"shard":0,"number":2`);
});

test("the summary says how often counted faults struck", () => {
  const summary = new Summary();
  summary.add(resultWith([]));
  summary.add(resultWith([]));
  expect(summary.line(1)).toContain("redis-wipe 2 (4 times)");
});

test("the processes of a schedule have the same ids each time", () => {
  const { hashKey } = drawSchedule(3);
  expect(processId(drawSchedule(3), 1, 2)).toBe(`p3-${hashKey.slice(0, 8)}-1-2`);
});
