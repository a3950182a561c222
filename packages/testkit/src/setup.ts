import { afterAll } from "vitest";
import { expectNoLeaks, openResources } from "./leak-check.ts";
import { removeTemporaryFolders } from "./temporary-folder.ts";

/**
 * Vitest setup file: fails a test file that leaves sockets, servers, timers or child processes open, and removes its
 * temporary folders.
 * Its hook was registered first and therefore runs last, after the file's own clean-up.
 */
const before = new Map(openResources());
// Vitest has passing timers of its own; counted as there before, one could hide one that a test forgets.
before.delete("Timeout");

afterAll(async () => {
  try {
    await expectNoLeaks(before);
  } finally {
    removeTemporaryFolders();
  }
});
