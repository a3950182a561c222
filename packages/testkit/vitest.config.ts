import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "@coupon/testkit/global-setup",
    setupFiles: "@coupon/testkit/setup",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
