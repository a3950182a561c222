import { setTimeout as sleep } from "node:timers/promises";

export interface ArrivalOptions {
  perSecond: number;
  seconds: number;
  /** How many may be under way; who comes then is turned away and counted. */
  atOnceMax: number;
  signal: AbortSignal;
}

const tickMs = 20;

/**
 * Lets `arrive` be called at a steady rate, whether or not earlier ones are done (an open load), and waits for all of
 * them at the end. Resolves to how many were turned away.
 *
 * @throws what an arrival throws, and the signal's reason where it is aborted
 */
export async function letArrive(options: ArrivalOptions, arrive: (index: number) => Promise<void>): Promise<number> {
  const { perSecond, seconds, atOnceMax, signal } = options;
  const underWay = new Set<Promise<void>>();
  const total = Math.round(perSecond * seconds);
  const beganAt = performance.now();
  let failure: unknown;
  let turnedAway = 0;
  for (let index = 0; index < total && failure === undefined; ) {
    const due = Math.min(total, Math.floor(((performance.now() - beganAt) / 1_000) * perSecond) + 1);
    for (; index < due; index += 1) {
      if (underWay.size >= atOnceMax) {
        turnedAway += 1;
        continue;
      }
      const one: Promise<void> = arrive(index)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await sleep(tickMs, undefined, { signal });
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure;
  return turnedAway;
}
