import type { BatchState, Benefit, Money, Open, RefundPolicy, Scope, Validity } from "./types.ts";

/** What every operators' resource carries. */
export interface Recorded {
  version: number;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface TemplateBody {
  name: string;
  benefit: Benefit;
  minimumSpend?: Money;
  validity: Validity;
  timeZone: string;
  scope?: Scope;
  refundPolicy: RefundPolicy;
}

export interface Template extends TemplateBody, Recorded {
  templateId: string;
}

export interface CampaignBody {
  name: string;
  startsAt: string;
  endsAt: string;
  /** Its currency is the campaign's. */
  budget: Money;
}

export interface Campaign extends CampaignBody, Recorded {
  campaignId: string;
  /** Held by approved batches. */
  reserved?: Money;
}

export interface Stock {
  total: number;
  perDay?: number;
  perUser: number;
  perUserPerDay?: number;
}

export type Entitlement = "issue" | "redeem" | "reverse" | "read";

export interface BatchBody {
  campaignId: string;
  templateId: string;
  name: string;
  stock: Stock;
  issueWindow: { from: string; until: string };
  callers: { callerId: string; may: Entitlement[] }[];
  /** Adds up to 10,000. */
  funding?: { party: string; basisPoints: number }[];
  timeZone: string;
  shards?: number;
  sandbox?: boolean;
}

export interface ManagedBatch extends BatchBody, Recorded {
  batchId: string;
  batchNumber: number;
  state: BatchState;
  /** Whether every shard has this version in force. */
  inForce?: boolean;
}

/** A change of some fields; null takes an optional one away. */
export type Change<Body> = { [Name in keyof Body]?: Body[Name] | Partial<Body[Name]> | null };

export type BatchAction = "submit" | "approve" | "reject" | "start" | "pause" | "resume" | "end";

export interface StockChange {
  /** The total stock that is in force; another refuses the change. */
  from: number;
  to: number;
  reason: string;
}

export interface BatchStats {
  issued: number;
  redeemed: number;
  reversed: number;
  cost: Money | number;
  liability: Money | number;
  asOf: string;
  [more: string]: unknown;
}

export interface PageOptions {
  /** Items a page; at most 200. */
  limit?: number;
}

/** Which resources there are. */
export type ResourceName = Open<"templates" | "campaigns" | "batches">;
