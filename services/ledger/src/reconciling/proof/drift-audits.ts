import { shardKey } from "@coupon/domain";
import type { Logger } from "@coupon/service-kit";
import { attemptUntilDone, type Waits } from "../attempt-until-done.ts";
import type { Auditor } from "../audit/auditor.ts";
import type { Drift } from "./prover.ts";

export interface DriftAuditsOptions {
  auditor: Pick<Auditor, "audit">;
  /** Whether the proof still finds it. */
  isDrifting: (drift: Drift) => boolean;
  logger: Logger;
  waits?: Waits;
}

const WAITS: Waits = { leastMs: 1_000, mostMs: 300_000 };

/**
 * Sees to it that what the running proof tells once is audited: where an audit can't be started, or fails, another one is
 * tried for as long as the drift is there.
 */
export class DriftAudits {
  readonly #options: DriftAuditsOptions;
  readonly #stopping = new AbortController();
  /** How often each drift that is being seen to was found. */
  readonly #findings = new Map<string, number>();

  constructor(options: DriftAuditsOptions) {
    this.#options = options;
  }

  found(drift: Drift): void {
    const key = drift.shard === null ? `batch ${drift.batch}` : shardKey(drift.batch, drift.shard);
    const before = this.#findings.get(key) ?? 0;
    this.#findings.set(key, before + 1);
    if (before > 0) return;
    void attemptUntilDone(() => this.#audit(drift, key), this.#stopping.signal, this.#options.waits ?? WAITS).then(() =>
      this.#findings.delete(key),
    );
  }

  /** Attempts nothing any more. */
  stop(): void {
    this.#stopping.abort();
  }

  /** True where no other audit is called for: what was found while this one ran, it may have missed. */
  async #audit(drift: Drift, key: string): Promise<boolean> {
    const { auditor, isDrifting, logger } = this.#options;
    if (!isDrifting(drift)) return true;
    const findings = this.#findings.get(key);
    const ask = { trigger: "proof", startedBy: "the running proof", ...drift } as const;
    const state = await auditor.audit(ask).catch((error: unknown) => {
      logger.warn({ err: error, ...drift }, "an audit of a drift could not be started; trying again");
      return null;
    });
    return (state === "clean" || state === "discrepant") && findings === this.#findings.get(key);
  }
}
