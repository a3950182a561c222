import type { Guidance } from "./guidance.ts";

/** Refusals about what exists, who may, how much and whether the platform has room. */
export const accessGuide = {
  role_missing: {
    meaning: "The operator is known but lacks the role for this call.",
    when: "None of the token's roles allows it.",
    caller: "Ask for the role, or have somebody who holds it do this.",
    sre: "From all operators: the issuer stopped sending the roles claim.",
  },
  self_approval: {
    meaning: "Whoever wrote it does not approve it.",
    when: "The approver is the author or the last one who changed it.",
    caller: "Have another operator approve.",
    sre: "Nothing; the rule works.",
  },
  batch_not_found: {
    meaning: "There is no such batch for this caller. A batch of other callers looks the same to the byte.",
    when: "The id is mistyped, the caller is not entitled to the batch, or it was published a moment ago.",
    caller: "Check the batch id and that the batch lists this caller.",
    sre: "From all callers: batch definitions are not arriving; check the lag of the batches topic.",
  },
  coupon_not_found: {
    meaning:
      "There is no such coupon for this user and caller. Forged ids and other users' coupons look the same to the byte.",
    when: "The id is mistyped or forged, the user differs from the one it was issued to, or it is another caller's.",
    caller: "Check the coupon id and the user id that it was issued to.",
    sre: "A rise from one caller may be guessing of ids: look at its distinct ids a minute.",
  },
  order_not_found: {
    meaning: "This caller has no such order.",
    when: "The order never locked or redeemed a coupon here, or is another caller's.",
    caller: "Check the order id; pass the last Log-Position as Read-After if the order is new.",
    sre: "From all callers: the ledger is behind or lost its position.",
  },
  template_not_found: {
    meaning: "There is no such template.",
    when: "The id is mistyped.",
    caller: "Check the template id.",
    sre: "Nothing.",
  },
  campaign_not_found: {
    meaning: "There is no such campaign.",
    when: "The id is mistyped.",
    caller: "Check the campaign id.",
    sre: "Nothing.",
  },
  reconciliation_not_found: {
    meaning: "There is no such reconciliation.",
    when: "The id is mistyped.",
    caller: "Check the reconciliation id.",
    sre: "Nothing.",
  },
  correction_not_found: {
    meaning: "There is no such correction of this reconciliation.",
    when: "The id is mistyped, or the correction was proposed about another reconciliation.",
    caller: "Check both ids.",
    sre: "Nothing.",
  },
  idempotency_conflict: {
    meaning: "This name already stands for something else, and that stays as it is.",
    when: "The key or the order was used before with other coupons, another user, another order content or other lines.",
    caller: "Repeat the request exactly as it was first sent, or give the new change a name of its own.",
    sre: "From one caller: its keys are not unique. Nothing was written.",
  },
  caller_suspended: {
    meaning: "The caller is stopped by an operator.",
    when: "Its standing is `suspended`; also for reads, and with a test key.",
    caller: "Contact the platform's operators.",
    sre: "Check with the operators whether the suspension is meant.",
  },
  caller_not_live: {
    meaning: "The caller may not touch live batches yet.",
    when: "It has not passed certification and used a live key; also for reads.",
    caller: "Use a test_ key with sandbox batches until the caller is certified.",
    sre: "From a live caller: its definition was published with the wrong standing.",
  },
  operation_not_permitted: {
    meaning: "The batch does not entitle this caller to this operation.",
    when: "The batch's `callers` lacks issue, redeem, reverse or read for it.",
    caller: "Ask the batch's operators for the entitlement.",
    sre: "After a change of the batch: check that the entitlement was not removed by mistake.",
  },
  stopped: {
    meaning: "An operator stopped this operation for the caller, the campaign, the batch or everybody.",
    when: "A stop is in force; releases and reversals still pass.",
    caller: "Stop sending and wait for word from the operators.",
    sre: "See who set the stop and why in the audit; lift it when the loss is over.",
  },
  overloaded: {
    meaning: "There is more work than room; this request was turned away before it did anything.",
    when: "As many requests are under way as are served in time, or a bounded queue is full. Reads, grants and claims go first, redemptions, releases and reversals last.",
    caller: "Repeat after Retry-After, with growing, jittered pauses.",
    sre: "Compare the rate with the filings; add issuing processes; look for an owner that is slow to send.",
  },
  caller_rate_exceeded: {
    meaning: "The caller asks faster than was agreed; others are not affected.",
    when: "Its rate for the operation is used up for this moment; `limit` spells it out.",
    caller: "Slow down to the rate in RateLimit-Policy and repeat after Retry-After.",
    sre: "During a filed promotion: check that the quota's window and rate match the filing.",
  },
  caller_quota_exhausted: {
    meaning: "The caller has used what was agreed for the day or in total.",
    when: "Its quota is spent; `limit.resetsAt` says when there is more, if ever.",
    caller: "Wait until limit.resetsAt or ask for more quota.",
    sre: "Check for a retry loop of the caller before granting more.",
  },
  state_conflict: {
    meaning: "The resource is in a state from which this step is not possible.",
    when: "E.g. approving a draft, or resuming a batch that has ended.",
    caller: "Read the resource; its state says which steps are open.",
    sre: "Nothing.",
  },
  budget_exceeded: {
    meaning: "The campaign can't pay for the worst case of this batch.",
    when: "Stock × greatest discount is more than what the budget has left unreserved.",
    caller: "Lower the stock or the discount, or raise the campaign's budget.",
    sre: "Nothing; no money was reserved.",
  },
  stock_changed: {
    meaning: "The stock was changed by somebody else meanwhile.",
    when: "`from` is not the stock in force.",
    caller: "Read the batch and decide on the new figure.",
    sre: "Nothing; two operators met.",
  },
  risk_rejected: {
    meaning: "The risk rules say no to this user now.",
    when: "A rule, a list or a velocity limit matched.",
    caller: "Tell the user that the coupon can't be had; do not repeat.",
    sre: "A jump right after a change of rules is a rule that catches too much.",
  },
  challenge_required: {
    meaning: "The risk rules want the user to prove something first.",
    when: "A rule asked for a challenge; `challenge` carries its address and token.",
    caller: "Lead the user through challenge.url and repeat the request afterwards.",
    sre: "As for risk_rejected.",
  },
  risk_unavailable: {
    meaning: "No risk verdict could be had and this batch does not issue without one.",
    when: "The risk service is down, slow, or its breaker is open.",
    caller: "Repeat after Retry-After.",
    sre: "Look at the risk service and at its breaker in issuing.",
  },
} as const satisfies Record<string, Guidance>;
