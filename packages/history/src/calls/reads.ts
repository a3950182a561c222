import { decodeCouponId } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { CouponShown, Operation } from "../history.ts";
import { type Books, type CouponBook, nameOf, placeOf } from "../log/books.ts";
import { outcomeOf } from "./outcome.ts";

type Read = Extract<Operation, { op: "readCoupon" | "readOrder" | "listCoupons" }>;

/** What a read showed was there, was the asker's, and was no older than its `Read-After`. */
export function checkRead(operation: Read, books: Books, findings: Findings): void {
  const outcome = outcomeOf(operation);
  if (operation.op === "readOrder") return;
  if (outcome.kind === "success") {
    const { body } = outcome.answer;
    const coupons = operation.op === "readCoupon" ? [body] : (body.items ?? []);
    for (const one of coupons) checkShown(operation, one, books, findings);
  } else if (outcome.kind === "refused" && outcome.code === "coupon_not_found" && operation.op === "readCoupon") {
    const coupon = find(operation.request.couponId, books);
    if (coupon !== undefined && isCovered(operation, coupon)) {
      findings.add("stale", `${nameOf(coupon)} was not found after its position`, [operation.id], [placeOf(coupon)]);
    }
  }
}

function checkShown(
  operation: Extract<Read, { op: "readCoupon" | "listCoupons" }>,
  shown: CouponShown,
  books: Books,
  findings: Findings,
): void {
  const coupon = find(shown.couponId ?? "", books);
  if (coupon === undefined) {
    findings.add("phantom", `coupon ${shown.couponId} was shown and is not in the log`, [operation.id]);
  } else if (shown.userId !== operation.request.userId || coupon.userId !== operation.request.userId) {
    findings.add(
      "not_owned",
      `${nameOf(coupon)} was shown to user ${operation.request.userId}`,
      [operation.id],
      [placeOf(coupon)],
    );
  }
}

function isCovered({ request, callerId }: Extract<Read, { op: "readCoupon" }>, coupon: CouponBook): boolean {
  const entitled = coupon.shard.batch.versions.every(({ definition }) =>
    definition.callers.some((one) => one.callerId === callerId && one.may.includes("read")),
  );
  const after = request.readAfter?.find(({ partition }) => partition === coupon.shard.partition);
  return entitled && request.userId === coupon.userId && after !== undefined && after.offset >= coupon.offset;
}

function find(couponId: string, books: Books): CouponBook | undefined {
  const parts = decodeCouponId(couponId);
  return parts === null ? undefined : books.coupon(parts.batchNumber, parts.shard, parts.serial);
}
