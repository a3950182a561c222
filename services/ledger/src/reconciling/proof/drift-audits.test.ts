import { createLogger } from "@coupon/service-kit";
import { expect, test } from "vitest";
import type { Reconciliation } from "../../stores/reconciliations.ts";
import { DriftAudits } from "./drift-audits.ts";
import type { Drift } from "./prover.ts";

const drift: Drift = { batch: 7, shard: 3 };
const waits = { leastMs: 1, mostMs: 4 };
const logger = createLogger({ name: "test", level: "silent" });

/** An auditor whose audits go as told, one after the other; after the last one, nothing is drifting. */
function seenTo(outcomes: (() => Reconciliation["state"] | null)[]) {
  const asked: object[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const audits = new DriftAudits({
    auditor: {
      async audit(ask) {
        asked.push(ask);
        return outcomes[asked.length - 1]?.() ?? null;
      },
    },
    isDrifting: () => {
      if (asked.length < outcomes.length) return true;
      resolve();
      return false;
    },
    ...{ logger, waits },
  });
  return { audits, asked, over };
}

test("tries again until an audit has run: none could be started, no room, one that failed", async () => {
  const { promise: ran, resolve } = Promise.withResolvers<void>();
  const away = () => {
    throw new Error("PostgreSQL is away");
  };
  const last = () => {
    resolve();
    return "discrepant" as const;
  };
  const { audits, asked } = seenTo([away, () => null, () => "failed", last, () => "clean"]);
  audits.found(drift);
  await ran;
  const ask = { trigger: "proof", startedBy: "the running proof", batch: 7, shard: 3 };
  expect(asked).toEqual([ask, ask, ask, ask]);
  audits.stop();
});

test("does not try again once the drift is gone", async () => {
  const { audits, asked, over } = seenTo([() => "failed"]);
  audits.found(drift);
  await over;
  expect(asked).toHaveLength(1);
});

test("audits once more what was found anew while an audit ran, which may have missed it", async () => {
  const parts = seenTo([
    () => {
      parts.audits.found(drift);
      return "clean";
    },
    () => "failed",
  ]);
  parts.audits.found(drift);
  await parts.over;
  expect(parts.asked).toHaveLength(2);
});
