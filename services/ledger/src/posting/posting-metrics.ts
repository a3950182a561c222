import type { Sweeping, TrialBalance } from "@coupon/database";
import { Counter, Gauge, type Registry } from "prom-client";

/** What the books measure. */
export interface PostingMetrics {
  balanced(balances: readonly TrialBalance[]): void;
  swept(sweeping: Sweeping): void;
  lagged(seconds: number): void;
  failed(): void;
}

export function createPostingMetrics(registry: Registry): PostingMetrics {
  const registers = [registry];
  const imbalance = new Gauge({
    name: "ledger_trial_balance_imbalance",
    help: "Debits less credits over all accounts, in minor units; must be 0",
    labelNames: ["currency"],
    registers,
  });
  const expired = new Counter({
    name: "ledger_expired_coupons_total",
    help: "Coupons whose expiry was posted",
    registers,
  });
  const deferred = new Counter({
    name: "ledger_deferred_coupons_total",
    help: "Coupons that were over when they were swept, but held for an order",
    registers,
  });
  const lag = new Gauge({
    name: "ledger_sweep_lag_seconds",
    help: "How long the coupon that has waited longest for its expiry to be posted was over when last looked for",
    registers,
  });
  const failures = new Counter({
    name: "ledger_sweep_failures_total",
    help: "Rounds of the sweep that failed and were made again",
    registers,
  });
  return {
    balanced(balances) {
      imbalance.reset();
      for (const { currency, debit, credit } of balances) {
        imbalance.set({ currency }, Number(BigInt(debit) - BigInt(credit)));
      }
    },
    swept(sweeping) {
      expired.inc(sweeping.expired);
      deferred.inc(sweeping.deferred);
    },
    lagged: (seconds) => lag.set(seconds),
    failed: () => failures.inc(),
  };
}
