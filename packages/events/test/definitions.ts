import type { BatchDefinition, CallerDefinition } from "@coupon/domain";

export function batch(batchId: string, version: number): BatchDefinition {
  return {
    batchId,
    batchNumber: 7,
    version,
    campaignId: "c1",
    name: "Ten off",
    sandbox: false,
    state: "issuing",
    revoked: false,
    template: {
      name: "Ten off",
      benefit: { kind: "percent_off", basisPointsOff: 1_000, maxAmount: 500, currency: "USD" },
      minimumSpend: { amount: 2_000, currency: "USD" },
      validity: { days: 7, mode: "calendar" },
      timeZone: "Asia/Shanghai",
      scope: { categoryIds: ["dairy"] },
      refundPolicy: "restore",
    },
    stock: { total: 1_000_000, perUser: 1, perDay: 50_000 },
    issueWindow: { from: "2026-01-01T00:00:00Z", until: "2026-02-01T00:00:00.000Z" },
    callers: [{ callerId: "shop", may: ["issue", "redeem"] }],
    funding: [{ party: "platform", basisPoints: 10_000 }],
    timeZone: "Asia/Shanghai",
    shards: 12,
    couponKeyVersion: 1,
  };
}

export function caller(callerId: string, secret: string): CallerDefinition {
  return {
    callerId,
    version: 1,
    name: "A shop",
    status: "live",
    keys: [
      { keyId: "live_1", secret, revoked: false },
      { keyId: "live_0", secret, revoked: true },
    ],
  };
}
