import { eventually } from "@coupon/testkit";
import { describe, expect, it } from "vitest";
import { AppliedPositions } from "../src/applying/applied-positions.ts";

const nowhere = async () => [];

describe("waiting for positions", () => {
  it("ends at once where all is applied, and when the last is", async () => {
    const positions = new AppliedPositions({ readPositions: nowhere, pollMs: 5, waitingMax: 10 });
    positions.advance(0, 5);
    expect(await positions.wait(new Map([[0, 4]]), 1_000)).toBe(true);
    const waiting = positions.wait(
      new Map([
        [0, 5],
        [1, 0],
      ]),
      10_000,
    );
    let done = false;
    void waiting.then(() => {
      done = true;
    });
    positions.advance(0, 6);
    await Promise.resolve();
    expect(done).toBe(false);
    positions.advance(1, 1);
    expect(await waiting).toBe(true);
  });

  it("does not take the position itself for applied", async () => {
    const positions = new AppliedPositions({ readPositions: nowhere, pollMs: 5, waitingMax: 10 });
    positions.advance(0, 4);
    expect(await positions.wait(new Map([[0, 4]]), 20)).toBe(false);
  });

  it("learns from PostgreSQL what another process has applied", async () => {
    let position = 1;
    const readPositions = async () => [{ partition: 0, position }];
    const positions = new AppliedPositions({ readPositions, pollMs: 5, waitingMax: 10 });
    const waiting = positions.wait(new Map([[0, 7]]), 10_000);
    position = 8;
    expect(await waiting).toBe(true);
  });

  it("keeps no more than so many waiting, and stops asking when nobody waits", async () => {
    let asked = 0;
    const readPositions = async () => {
      asked += 1;
      return [];
    };
    const positions = new AppliedPositions({ readPositions, pollMs: 1, waitingMax: 2 });
    const waits = [1, 2, 3].map(() => positions.wait(new Map([[0, 1]]), 60));
    expect(await Promise.all(waits)).toEqual([false, false, false]);
    const before = await eventually(() => asked);
    await Promise.resolve();
    expect(asked - before).toBeLessThanOrEqual(1);
  });
});
