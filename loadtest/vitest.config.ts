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
          exclude: ["test/faults/**"],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          maxConcurrency: 2,
        },
      },
      {
        test: {
          // Faults need stores of their own, and the machine to themselves.
          name: "faults",
          setupFiles: "@coupon/testkit/setup",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
