import type { Guidance } from "./guidance.ts";

/** Refusals of a batch and its stock. */
export const claimsGuide = {
  batch_not_started: {
    meaning: "The batch exists but issues nothing yet.",
    when: "It is not started, or its issue window begins later.",
    caller: "Repeat when the issue window has begun.",
    sre: "At a promotion's start: check that the batch was started and its rules are in force on every shard.",
  },
  batch_paused: {
    meaning: "An operator paused the batch; it may go on.",
    when: "Its state is `paused`.",
    caller: "Stop offering the coupon and ask again later.",
    sre: "See the audit for who paused it and why.",
  },
  batch_ended: {
    meaning: "The batch issues no more.",
    when: "Its window is over or an operator ended it.",
    caller: "Stop offering the coupon.",
    sre: "If it should go on: the window's end may be moved while the batch is not ended.",
  },
  batch_deactivated: {
    meaning: "The issuer killed the batch.",
    when: "It was deactivated; coupons already issued are kept or revoked as the operator chose.",
    caller: "Stop offering the coupon.",
    sre: "See the audit for the reason.",
  },
  shard_recovering: {
    meaning:
      "The part of the batch that holds this user or coupon has no owner that may answer just now, neither yes nor no.",
    when: "An owner started, died or lost its place, and the shard is being opened from the log.",
    caller: "Repeat the same request after Retry-After; a success on record will come back.",
    sre: "Normal for seconds after a take-over. Longer: look at the owner's log, Redis, the broker and the ledger's lag.",
  },
  stock_in_transfer: {
    meaning: "This part of the batch is empty while another may still have stock; nobody says sold out yet.",
    when: "Stock is being moved between shards.",
    caller: "Repeat the same request after Retry-After.",
    sre: "Normal near a batch's end. If it lasts: a debit waits for its credit; look for a shard that is recovering.",
  },
  user_limit_reached: {
    meaning: "The user has as many coupons of this batch as a user may have.",
    when: "The per-user limit is met; `limit` spells it out.",
    caller: "Show the user the coupons that are there; do not repeat.",
    sre: "Nothing.",
  },
  user_daily_limit_reached: {
    meaning: "The user has today's share of this batch.",
    when: "The per-user limit of a day is met; days count in the batch's time zone.",
    caller: "Offer it again after limit.resetsAt.",
    sre: "Nothing.",
  },
  daily_stock_exhausted: {
    meaning: "Today's stock of the batch is gone.",
    when: "The daily limit is met; days count in the batch's time zone.",
    caller: "Offer it again after limit.resetsAt.",
    sre: "Tell the operators if it went much earlier than planned.",
  },
  stock_exhausted: {
    meaning: "Every coupon of the batch is durably issued: the issues of all shards add up to its stock.",
    when: "The stock is sold out.",
    caller: "Stop offering the coupon.",
    sre: "Nothing; operators may raise the stock.",
  },
} as const satisfies Record<string, Guidance>;
