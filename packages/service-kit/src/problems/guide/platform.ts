import type { Guidance } from "./guidance.ts";

/** Errors of the platform itself. */
export const platformGuide = {
  log_unavailable: {
    meaning: "The log did not confirm in time; the change may be made or not, and will be one of the two.",
    when: "Kafka is away, slow, or lacks in-sync replicas, or an owner had to reopen after a doubtful send.",
    caller: "Send the same request again, with the same key or order, until it is answered.",
    sre: "Look at the brokers: under-replicated partitions, leader changes, disk; then at the owner's reopen count.",
  },
  deadline_exceeded: {
    meaning: "The request's time ran out before its outcome was certain.",
    when: "A shard, the log or another issuing process answered too late.",
    caller: "Send the same request again, with the same key or order, until it is answered.",
    sre: "Look at the event loop's lag, the owners' queues, Redis latency and the brokers' produce latency.",
  },
  ledger_behind: {
    meaning:
      "The ledger does not know this yet, or is so far behind that nothing new is taken; what was answered is safe in the log.",
    when: "A reversal without `couponIds`, or a coupon whose record is not at hand, needs what the ledger has still to apply; or the ledger's lag nears what the log keeps, and issuing stops: claims, grants and locks first, redemptions, releases and reversals last, and never what is on record.",
    caller: "Repeat after Retry-After; a reversal may name couponIds.",
    sre: "Look at the ledger's lag and PostgreSQL's write latency; where `issuing_retention_partitions` is above 0, see the runbook.",
  },
  ledger_unavailable: {
    meaning: "The ledger can't be asked; issuing goes on without it.",
    when: "The ledger service or PostgreSQL is down, or the breaker is open; also for a change to a coupon whose record is not at hand.",
    caller: "Repeat after Retry-After.",
    sre: "Look at the ledger service, PostgreSQL and connection pools.",
  },
  read_after_timeout: {
    meaning: "The ledger did not reach the position named in `Read-After` within 2 s.",
    when: "The ledger lags.",
    caller: "Repeat after Retry-After with the same Read-After, or read without it.",
    sre: "As for ledger_behind.",
  },
  internal_error: {
    meaning: "A fault of ours; the change may be made or not.",
    when: "Something happened that nobody foresaw.",
    caller: "Send the same request again; if it stays, report its Request-Id.",
    sre: "Find the Request-Id in the logs; the error is there with its stack. Each of these is a bug.",
  },
} as const satisfies Record<string, Guidance>;
