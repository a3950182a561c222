import type { RefusalCode } from "@coupon/domain";
import { accessGuide } from "./access.ts";
import { claimsGuide } from "./claims.ts";
import type { Guidance } from "./guidance.ts";
import { ordersGuide } from "./orders.ts";
import { platformGuide } from "./platform.ts";
import { requestGuide } from "./request.ts";

export type { Guidance } from "./guidance.ts";

const all = { ...requestGuide, ...accessGuide, ...claimsGuide, ...ordersGuide, ...platformGuide };

/** Guidance for every code of the catalogue; one too many or too few does not compile. */
export const guide: Record<RefusalCode, Guidance> = all satisfies Record<RefusalCode, Guidance> &
  Record<Exclude<keyof typeof all, RefusalCode>, never>;
