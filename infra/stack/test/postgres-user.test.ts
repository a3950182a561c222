import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";
import { findProgram } from "../src/index.ts";
import { serverUser, startsAs } from "../src/parts/postgres-user.ts";

const open = mkdtempSync(join(tmpdir(), "user-"));
const closed = mkdtempSync(join(tmpdir(), "user-"));
chmodSync(open, 0o755);
chmodSync(closed, 0o700);
const root = process.getuid?.() === 0;
afterAll(() => {
  for (const folder of [open, closed]) rmSync(folder, { recursive: true, force: true });
});

/** `test`, as a program that looks at itself the way PostgreSQL's programs do, in a folder. */
function programIn(folder: string): string {
  const program = join(folder, "postgres");
  cpSync(findProgram("test") ?? "", program);
  return program;
}

test.each([
  [open, false],
  [closed, root],
])("the server's user may run what lies in a folder that is open or root's alone", async (folder, override) => {
  const program = programIn(folder);
  const user = await serverUser({ postgres: program, initdb: program }, folder);
  expect(user.override).toBe(override);
  const [command, args] = startsAs(user, program, ["-x", program]);
  expect((await execa(command, args, { reject: false, cwd: "/" })).exitCode).toBe(0);
});

test("the server never runs as root, and has no capability beyond that one", async () => {
  if (!root) return;
  const program = programIn(closed);
  const user = await serverUser({ postgres: program, initdb: program }, closed);
  const [command, args] = startsAs(user, "grep", ["-E", "^(Uid|CapEff|CapPrm)", "/proc/self/status"]);
  const { stdout } = await execa(command, args, { cwd: "/" });
  const dacOverride = "0000000000000002";
  expect(stdout.match(/\S+$/gm)).toEqual([String(user.uid), dacOverride, dacOverride]);
});
