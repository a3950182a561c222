import { describe, expect, it } from "vitest";
import type { BatchState, CouponState } from "./model.ts";
import { checkStateMachine, type StateMachine } from "./state-machine.ts";
import { type BatchAction, batchMachine, batchTransition, couponMachine, couponTransition } from "./state-machines.ts";

describe("checkStateMachine", () => {
  const good: StateMachine<string, string> = {
    initial: ["a"],
    final: ["c"],
    transitions: [
      { from: "a", to: "b", by: "go" },
      { from: "b", to: "a", by: "back" },
      { from: "b", to: "c", by: "go" },
    ],
  };
  const withStep = (from: string, to: string, by: string) => ({
    ...good,
    transitions: [...good.transitions, { from, to, by }],
  });

  it("finds nothing wrong with a good machine", () => {
    expect(checkStateMachine(good)).toEqual([]);
  });

  it("finds a state that can't be reached, a dead end, a trap, an exit from the end and an ambiguous step", () => {
    expect(checkStateMachine(withStep("x", "a", "go"))).toEqual(["x can't be reached"]);
    expect(checkStateMachine(withStep("a", "dead", "die"))).toEqual(["dead has no way to a final state"]);
    const trap = withStep("a", "trap", "fall");
    const circle = { ...trap, transitions: [...trap.transitions, { from: "trap", to: "trap", by: "turn" }] };
    expect(checkStateMachine(circle)).toEqual(["trap has no way to a final state"]);
    expect(checkStateMachine(withStep("c", "a", "again"))).toEqual(["c is final but has a way on"]);
    expect(checkStateMachine(withStep("a", "c", "go"))).toEqual(["a by go leads to several states"]);
  });
});

describe("the batch's machine", () => {
  it("has no state out of reach and no dead end", () => {
    expect(checkStateMachine(batchMachine)).toEqual([]);
  });

  /** Rows are states, columns what each action makes of them; "" where the state does not allow it. */
  const actions: BatchAction[] = ["submit", "approve", "reject", "start", "pause", "resume", "end", "deactivate"];
  const table: [BatchState, ...string[]][] = [
    ["draft", "in_review", "", "", "", "", "", "", ""],
    ["in_review", "", "approved", "draft", "", "", "", "", ""],
    ["approved", "", "", "", "issuing", "", "", "ended", "deactivated"],
    ["issuing", "", "", "", "", "paused", "", "ended", "deactivated"],
    ["paused", "", "", "", "", "", "issuing", "ended", "deactivated"],
    ["ended", "", "", "", "", "", "", "", "deactivated"],
    ["deactivated", "", "", "", "", "", "", "", ""],
  ];
  it.each(table)("from %s", (state, ...expected) => {
    expect(actions.map((action) => batchTransition(state, action) ?? "")).toEqual(expected);
  });
});

describe("the coupon's machine", () => {
  it("has no state out of reach and no dead end", () => {
    expect(checkStateMachine(couponMachine)).toEqual([]);
  });

  it("knows every state of the model", () => {
    const states: Record<CouponState, true> = {
      pending: true,
      effective: true,
      locked: true,
      redeemed: true,
      expired: true,
      deactivated: true,
    };
    const known = new Set(couponMachine.transitions.flatMap(({ from, to }) => [from, to]));
    expect([...known].sort()).toEqual(Object.keys(states).sort());
  });

  it("leads through the ways of an order", () => {
    const walk = (state: CouponState, ...events: Parameters<typeof couponTransition>[1][]) =>
      events.reduce<CouponState | null>((at, event) => at && couponTransition(at, event), state);
    expect(walk("pending", "validity_start", "lock", "lock", "redeem", "reverse")).toBe("effective");
    expect(walk("effective", "lock", "release", "redeem")).toBe("redeemed");
    expect(walk("effective", "lock", "hold_end", "validity_end", "deactivate")).toBe("deactivated");
    expect(walk("redeemed", "deactivate")).toBeNull();
    expect(walk("redeemed", "redeem")).toBeNull();
    expect(walk("pending", "lock")).toBeNull();
    expect(walk("expired", "lock")).toBeNull();
    expect(walk("deactivated", "redeem")).toBeNull();
  });
});
