import fc from "fast-check";
import { expect, test } from "vitest";
import { RefusalPace } from "./refusal-pace.ts";

function paceWith(change: object = {}) {
  const answered: number[] = [];
  const settings = { perServed: 0.5, burst: 2, holdMsMax: 1_000, heldMax: 100 };
  const pace = new RefusalPace<number>({ ...settings, ...change, answer: (one) => answered.push(one) });
  return { pace, answered };
}

test("a few refusals go out at once, more are held until enough has been served", () => {
  const { pace, answered } = paceWith();
  for (const one of [1, 2, 3, 4]) pace.refuse(one, 0);
  expect(answered).toEqual([1, 2]);
  pace.served();
  expect(answered).toEqual([1, 2]);
  pace.served();
  expect(answered).toEqual([1, 2, 3]);
  expect(pace.held).toBe(1);
});

test("nobody waits longer than told, also when nothing is served", () => {
  const { pace, answered } = paceWith({ burst: 0 });
  pace.refuse(1, 0);
  pace.refuse(2, 500);
  pace.expire(999);
  expect(answered).toEqual([]);
  pace.expire(1_000);
  expect(answered).toEqual([1]);
  pace.expire(1_500);
  expect(answered).toEqual([1, 2]);
});

test("no more are held than told: the oldest goes out", () => {
  const { pace, answered } = paceWith({ burst: 0, heldMax: 3 });
  for (const one of [1, 2, 3, 4, 5]) pace.refuse(one, 0);
  expect(answered).toEqual([1, 2]);
  expect(pace.held).toBe(3);
});

test("a hold of 0 answers everything at once", () => {
  const { pace, answered } = paceWith({ burst: 0, holdMsMax: 0 });
  for (const one of [1, 2, 3]) pace.refuse(one, 0);
  expect(answered).toEqual([1, 2, 3]);
});

test("whatever happens, each is answered once, in order, and in time", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("refuse" as const) }),
    fc.record({ do: fc.constant("served" as const) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 700 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { pace, answered } = paceWith({ heldMax: 20 });
      const arrivals: number[] = [];
      let now = 0;
      for (const one of steps) {
        if (one.do === "refuse") pace.refuse(arrivals.push(now) - 1, now);
        else if (one.do === "served") pace.served();
        else {
          now += one.ms;
          pace.expire(now);
          expect(arrivals.slice(answered.length).every((at) => at > now - 1_000)).toBe(true);
        }
        expect(pace.held).toBe(arrivals.length - answered.length);
        expect(pace.held).toBeLessThanOrEqual(20);
      }
      pace.answerAll();
      expect(answered).toEqual(arrivals.map((_, i) => i));
    }),
  );
});
