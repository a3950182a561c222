import { describe, expect, test } from "vitest";
import type { BatchTerms } from "./batch-body.ts";
import { changedFields, lockedFields } from "./editable.ts";

const terms: BatchTerms = {
  campaignId: "c",
  templateId: "t",
  name: "n",
  stock: { total: 10, perUser: 1 },
  issueWindow: { from: "2026-01-01T00:00:00.000Z", until: "2026-02-01T00:00:00.000Z" },
  callers: [{ callerId: "shop", may: ["issue"] }],
  funding: [{ party: "platform", basisPoints: 10_000 }],
  timeZone: "UTC",
  shards: 1,
  sandbox: false,
};

describe("what may change of a batch", () => {
  test("names what differs, inside stock and window one by one", () => {
    expect(changedFields(terms, structuredClone(terms))).toEqual([]);
    const next = {
      ...terms,
      name: "m",
      stock: { total: 11, perDay: 5, perUser: 1 },
      issueWindow: { ...terms.issueWindow, until: "2026-03-01T00:00:00.000Z" },
    };
    expect(changedFields(terms, next)).toEqual(["issueWindow.until", "name", "stock.perDay", "stock.total"]);
  });

  test("everything in a draft, less and less later", () => {
    const all = ["callers", "issueWindow.until", "name", "stock.perDay", "stock.total"];
    expect(lockedFields("draft", all)).toEqual([]);
    for (const state of ["in_review", "approved", "issuing", "paused"] as const) {
      expect(lockedFields(state, all)).toEqual(["name", "stock.total"]);
    }
    expect(lockedFields("ended", all)).toEqual(all.slice(1));
    expect(lockedFields("deactivated", all)).toEqual(all);
  });
});
