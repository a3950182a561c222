import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts"] } },
      {
        test: {
          name: "real parts",
          globalSetup: "@coupon/testkit/global-setup",
          setupFiles: "@coupon/testkit/setup",
          include: ["test/**/*.test.ts"],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          maxConcurrency: 2,
        },
      },
    ],
  },
});
