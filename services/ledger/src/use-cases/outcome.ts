import type { Refusal, RefusalCode } from "@coupon/domain";

/** An answer as JSON text, or an expected no. */
export type Outcome = { kind: "found"; json: string } | { kind: "refused"; refusal: Refusal };

export const found = (json: string): Outcome => ({ kind: "found", json });
export const refused = (code: RefusalCode): Outcome => ({ kind: "refused", refusal: { code } });
