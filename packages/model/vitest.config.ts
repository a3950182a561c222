import { defineConfig } from "vitest/config";

// Each check is a process on one core.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], maxConcurrency: 2, testTimeout: 120_000, hookTimeout: 300_000 },
});
