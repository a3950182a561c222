import { expect, test } from "vitest";
import { type Growth, judgeGrowth, warmUpSeconds } from "./judge-growth.ts";
import type { Figures, Sample } from "./sample.ts";

const MiB = 2 ** 20;
const requestsPerSecond = 400;
const couponsPerSecond = 200;

/** Half an hour in looks of 15 s, noisy as real ones are. `figures` is told seconds and gives each process' figures. */
function run(figures: (seconds: number) => Record<string, Figures>): Sample[] {
  return Array.from({ length: 121 }, (_, index) => {
    const seconds = index * 15;
    return { seconds, coupons: seconds * couponsPerSecond, figures: figures(seconds) };
  });
}

const noise = (seconds: number) => ((seconds * 7_919) % 1_013) / 1_013 - 0.5;

function healthy(seconds: number): Record<string, Figures> {
  const wobble = noise(seconds);
  const service: Figures = {
    resident: (180 + 20 * wobble) * MiB,
    heap: (40 + 20 * Math.min(1, seconds / 500) + wobble) * MiB,
    external: (6 + wobble) * MiB,
    descriptors: 90 + Math.round(4 * wobble),
    connections: 60 + Math.round(4 * wobble),
    timers: 12 + Math.round(2 * wobble),
    handles: 5,
  };
  return {
    "issuing-1": service,
    ledger: service,
    redis: { resident: 10 * MiB + seconds * couponsPerSecond * 200, connections: 9, descriptors: 20 },
    kafka: { resident: 500 * MiB, heap: (60 + seconds / 20) * MiB, descriptors: 120 + seconds / 100, connections: 30 },
    postgres: { resident: 90 * MiB, connections: 14 },
    platform: { outbox: 3 + Math.round(2 * wobble), lag: 0.1, p99: 12 },
  };
}

const broken = (samples: Sample[]): Growth[] => judgeGrowth(samples, requestsPerSecond).filter((it) => !it.holds);
const names = (samples: Sample[]) => broken(samples).map(({ subject, figure }) => `${subject} ${figure}`);

/** The healthy run with one figure of one process changed. */
function tampered(subject: string, change: (figures: Figures, seconds: number) => Figures): Sample[] {
  return run((seconds) => {
    const all = healthy(seconds);
    return { ...all, [subject]: { ...all[subject], ...change(all[subject] ?? {}, seconds) } };
  });
}

test("a healthy run holds: what grows in the warm-up, with the coupons, or within its bound is no leak", () => {
  const growths = judgeGrowth(run(healthy), requestsPerSecond);
  expect(growths.filter((it) => !it.holds)).toEqual([]);
  const redis = growths.find(({ subject, figure }) => subject === "redis" && figure === "resident");
  expect(redis?.slope.value).toBeCloseTo(200, 6);
  expect(growths).toHaveLength(7 + 7 + 3 + 4 + 2 + 3);
});

test("finds a planted leak of one small object a request", () => {
  const bytes = (seconds: number) => seconds * requestsPerSecond * 16;
  expect(names(tampered("ledger", ({ heap = 0 }, seconds) => ({ heap: heap + bytes(seconds) })))).toEqual([
    "ledger heap",
  ]);
  const buffers = tampered("issuing-1", ({ external = 0 }, seconds) => ({ external: external + bytes(seconds) }));
  expect(names(buffers)).toEqual(["issuing-1 external"]);
});

test("finds native memory, timers, handles and connections that are left behind", () => {
  const grows = (perSecond: number) => (value: number | undefined, seconds: number) =>
    (value ?? 0) + Math.floor(seconds * perSecond);
  const slowly = grows(0.02);
  expect(
    names(tampered("ledger", ({ resident }, seconds) => ({ resident: grows(0.02 * MiB)(resident, seconds) }))),
  ).toEqual(["ledger resident"]);
  for (const figure of ["timers", "handles", "connections", "descriptors"] as const) {
    const leaking = tampered("issuing-1", (figures, seconds) => ({ [figure]: slowly(figures[figure], seconds) }));
    expect(names(leaking)).toEqual([`issuing-1 ${figure}`]);
  }
});

test("finds an outbox that is not trimmed, a ledger that falls behind, and Redis that keeps more than coupons", () => {
  expect(names(tampered("platform", (_, seconds) => ({ outbox: seconds / 10 })))).toEqual(["platform outbox"]);
  expect(names(tampered("platform", (_, seconds) => ({ lag: seconds / 200 })))).toEqual(["platform lag"]);
  const perCoupon = (seconds: number) => ({ resident: 10 * MiB + seconds * couponsPerSecond * 600 });
  expect(names(tampered("redis", (_, seconds) => perCoupon(seconds)))).toEqual(["redis resident"]);
});

test("one step, such as a pool's last connection or a heap's next page, is no leak", () => {
  const step = (value: number | undefined, seconds: number, by: number) => (value ?? 0) + (seconds > 1_200 ? by : 0);
  expect(names(tampered("ledger", (it, seconds) => ({ connections: step(it.connections, seconds, 4) })))).toEqual([]);
  expect(names(tampered("ledger", (it, seconds) => ({ heap: step(it.heap, seconds, 0.5 * MiB) })))).toEqual([]);
});

test("a run of too few looks is not judged", () => {
  expect(() => judgeGrowth(run(healthy).slice(0, 10), requestsPerSecond)).toThrow("too few");
  expect(warmUpSeconds(1_800)).toBe(600);
  expect(warmUpSeconds(360)).toBe(120);
});
