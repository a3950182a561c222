import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Every metric of this service. */
export interface CampaignMetrics {
  changes: Counter<"action" | "result">;
  confirmationSeconds: Histogram<"action" | "result">;
  outboxDepth: Gauge;
  published: Counter;
  publishFailures: Counter;
  settleFailures: Counter;
  givenBack: Counter;
  giveBackFailures: Counter;
  budgetShort: Counter;
}

export function createCampaignMetrics(registry: Registry): CampaignMetrics {
  const registers = [registry];
  return {
    changes: new Counter({
      name: "campaigns_changes_total",
      help: "Changes of batches and coupons that operators asked for, by action and result: changed, unchanged, refused",
      labelNames: ["action", "result"],
      registers,
    }),
    confirmationSeconds: new Histogram({
      name: "campaigns_confirmation_seconds",
      help: "From a change on record until it is in force on every shard (in_force), or until the wait ended (late)",
      labelNames: ["action", "result"],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    outboxDepth: new Gauge({
      name: "campaigns_outbox_depth",
      help: "Definitions on record that Kafka does not have yet",
      registers,
    }),
    published: new Counter({
      name: "campaigns_published_total",
      help: "Definitions that Kafka has taken",
      registers,
    }),
    publishFailures: new Counter({
      name: "campaigns_publish_failures_total",
      help: "Attempts to publish that failed and are made again",
      registers,
    }),
    settleFailures: new Counter({
      name: "campaigns_settle_failures_total",
      help: "Attempts to record what is in force that failed and are made again",
      registers,
    }),
    givenBack: new Counter({
      name: "campaigns_budget_given_back_total",
      help: "Times that a batch gave a campaign's budget back what it had not used",
      registers,
    }),
    giveBackFailures: new Counter({
      name: "campaigns_give_back_failures_total",
      help: "Batches whose use of the budget could not be looked at; they are looked at again",
      registers,
    }),
    budgetShort: new Counter({
      name: "campaigns_budget_short_total",
      help: "Times that a batch was found to hold less of the budget than it may still need; must stay 0",
      registers,
    }),
  };
}
