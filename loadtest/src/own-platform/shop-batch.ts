import type { BatchDefinition, Template } from "@coupon/domain";

/** The first version of an issuing batch on which the one caller may do everything; `rest` says what it gives. */
export function shopBatch(
  batchNumber: number,
  template: Template,
  rest: Pick<BatchDefinition, "stock" | "shards">,
): BatchDefinition {
  return {
    batchId: `batch-${batchNumber}`,
    batchNumber,
    version: 1,
    campaignId: "campaign-1",
    name: template.name,
    sandbox: false,
    state: "issuing",
    revoked: false,
    template,
    issueWindow: { from: "2024-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" },
    callers: [{ callerId: "shop", may: ["issue", "redeem", "reverse", "read"] }],
    funding: [],
    timeZone: template.timeZone,
    couponKeyVersion: 1,
    ...rest,
  };
}
