import { defineConfig } from "vitest/config";

export default defineConfig({
  // Every test here starts real servers; two files at once would only make each other slow.
  test: { testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
