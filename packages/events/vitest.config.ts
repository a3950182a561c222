import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["@coupon/testkit/global-setup/kafka"],
    setupFiles: ["@coupon/testkit/setup"],
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 90_000,
    maxWorkers: 2,
  },
});
