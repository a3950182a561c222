import { setTimeout as sleep } from "node:timers/promises";

/** What an audit of the ledger ended with, as its operators' API tells it. */
interface Reconciliation {
  reconciliationId: string;
  state: "queued" | "running" | "clean" | "discrepant" | "failed" | "interrupted";
  detail: string | null;
  found: number;
  discrepancies?: object[];
}

const ENDS_WITHIN_MS = 20_000;

/**
 * Has the ledger audit everything, as an operator would, and says what it found: nothing where Redis, the log and
 * PostgreSQL agree by its own reckoning, too.
 */
export async function auditLedger(ledgerUrl: string, token: string): Promise<string[]> {
  const until = performance.now() + ENDS_WITHIN_MS;
  const ask = async (method: string, path: string, body?: string): Promise<Reconciliation> => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const response = await fetch(`${ledgerUrl}/ops/v1/reconciliations${path}`, {
      ...{ method, headers, signal: AbortSignal.timeout(5_000) },
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw new Error(`the audit was answered with ${response.status} ${await response.text()}`);
    return (await response.json()) as Reconciliation;
  };
  try {
    let run = await ask("POST", "", "{}");
    while (run.state === "queued" || run.state === "running") {
      if (performance.now() > until) return [`the audit has not ended within ${ENDS_WITHIN_MS} ms`];
      await sleep(25);
      run = await ask("GET", `/${run.reconciliationId}`);
    }
    if (run.state === "clean") return [];
    const found = (run.discrepancies ?? []).slice(0, 5).map((one) => JSON.stringify(one));
    return [`the audit is ${run.state}, with ${run.found} discrepancies: ${[run.detail ?? "", ...found].join(" ")}`];
  } catch (error) {
    return [`the audit failed: ${(error as Error).message}`];
  }
}
