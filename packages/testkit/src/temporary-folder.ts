import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What folders of tests begin with, before the pid of who made them: what a killed run leaves, the next one clears away. */
export const FOLDER_PREFIX = "coupon-test-";

const folders: string[] = [];

/**
 * A new empty folder that is removed, with all in it, when the test file is over (by `@coupon/testkit/setup`) or this
 * process exits. A worker of vitest never exits by itself, so the latter alone would leave every folder of a test.
 */
export function temporaryFolder(prefix = "test"): string {
  if (folders.length === 0) process.once("exit", removeTemporaryFolders);
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-${prefix}-`));
  folders.push(folder);
  return folder;
}

/** Removes what {@link temporaryFolder} has made in this process. */
export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
