import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["@coupon/testkit/global-setup"],
    setupFiles: ["@coupon/testkit/setup"],
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
