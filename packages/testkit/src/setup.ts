import { afterAll } from "vitest";
import { expectNoLeaks, openResources } from "./leak-check.ts";

/**
 * Vitest setup file: fails a test file that leaves sockets, servers, timers or child processes open.
 * Its hook was registered first and therefore runs last, after the file's own clean-up.
 */
const before = openResources();

afterAll(async () => {
  await expectNoLeaks(before);
});
