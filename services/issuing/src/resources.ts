import type { CouponIdCodec } from "@coupon/domain";
import type { DetachedRefusal, SignatureVerifier } from "@coupon/service-kit";
import type { Batches } from "./front/batches.ts";
import type { CallerKey, Callers } from "./front/callers.ts";
import type { LedgerReads } from "./front/ledger-reads.ts";
import type { OrderTies } from "./front/order-ties.ts";
import type { Router } from "./front/router.ts";
import type { Admission } from "./overload/admission.ts";

/** What routes and use cases work with; made in `compose.ts`. */
export interface IssuingResources {
  admission: Admission<DetachedRefusal>;
  batches: Batches;
  callers: Callers;
  codec: CouponIdCodec;
  hashKey: Buffer;
  router: Router;
  ledger: LedgerReads;
  orders: OrderTies;
  verifier: SignatureVerifier<CallerKey>;
}
