import { eventually } from "@coupon/testkit";
import { describe, expect, test } from "vitest";
import { Worker } from "./worker.ts";

describe("a worker", () => {
  test("runs one round at a time, and another one for whoever asks during a round", async () => {
    let running = 0;
    let most = 0;
    let rounds = 0;
    const worker = new Worker({
      everyMs: 60_000,
      failed: () => undefined,
      round: async () => {
        running += 1;
        most = Math.max(most, running);
        rounds += 1;
        if (rounds === 1) for (let i = 0; i < 3; i += 1) worker.kick();
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return false;
      },
    });
    worker.start();
    worker.start();
    await eventually(() => rounds === 2);
    worker.kick();
    await eventually(() => rounds === 3);
    await worker.stop();
    expect(most).toBe(1);
    worker.kick();
    expect(rounds).toBe(3);
  });

  test("goes on after failures, with growing waits, and stops in the middle of one", async () => {
    const errors: unknown[] = [];
    let rounds = 0;
    const worker = new Worker({
      everyMs: 60_000,
      failed: (error) => errors.push(error),
      round: async () => {
        rounds += 1;
        if (rounds <= 3) throw new Error(`round ${rounds}`);
        return false;
      },
    });
    worker.start();
    await eventually(() => rounds === 4);
    expect(errors).toHaveLength(3);
    const failing = new Worker({ everyMs: 60_000, failed: () => undefined, round: () => Promise.reject(new Error()) });
    failing.start();
    await worker.stop();
    await failing.stop();
  });
});
