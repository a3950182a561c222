import type { Pool } from "@coupon/database";
import type { CouponIdCodec } from "@coupon/domain";
import type { AppliedPositions } from "./applying/applied-positions.ts";
import type { LedgerMetrics } from "./metrics.ts";
import type { Batches } from "./stores/batches.ts";
import type { Cursors } from "./use-cases/cursors.ts";

/** What the routes work with. */
export interface LedgerResources {
  /** Connections for reading. */
  pool: Pool;
  batches: Batches;
  codec: CouponIdCodec;
  cursors: Cursors;
  positions: AppliedPositions;
  /** Whether PostgreSQL has everything that is in the log now; false where the log can't be asked. */
  isCaughtUp: () => Promise<boolean>;
  /** Time up to which the log has been applied, in milliseconds: now, where there is no lag. */
  asOfMs: (nowMs: number) => number;
  metrics: LedgerMetrics;
  readAfterMs: number;
  /** Milliseconds since the Unix epoch. */
  now: () => number;
}
