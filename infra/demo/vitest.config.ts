import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["@coupon/testkit/global-setup/redis"],
    setupFiles: ["@coupon/testkit/setup"],
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
