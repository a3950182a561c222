import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { identify, isAlive } from "../src/process/proc.ts";
import { ProcessRecord } from "../src/process/process-record.ts";

const folder = mkdtempSync(join(tmpdir(), "record-"));
const path = join(folder, "processes.json");
const me = identify(process.pid);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a process is known by pid and start time: a pid that was given out again is nobody's survivor", () => {
  if (me === undefined) throw new Error("this process must be seen");
  expect(isAlive(me)).toBe(true);
  new ProcessRecord(path).add("me", me);
  expect(new ProcessRecord(path).survivors().map(({ name }) => name)).toEqual(["me"]);
  writeFileSync(path, JSON.stringify([{ ...me, name: "another", startTicks: me.startTicks - 1 }]));
  expect(new ProcessRecord(path).survivors()).toEqual([]);
});

test("a record that was cut short, or is not one, counts as none", () => {
  for (const text of ["", '[{"pid":', "{}"]) {
    writeFileSync(path, text);
    expect(new ProcessRecord(path).survivors()).toEqual([]);
  }
});
