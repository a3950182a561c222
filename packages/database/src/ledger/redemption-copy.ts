import { BinaryCopy, UTF8_BYTES_MAX } from "./binary-copy.ts";
import type { RedemptionRow } from "./rows.ts";

/** Columns in the order in which {@link encodeRedemptions} writes them. */
export const redemptionColumns =
  "batch, shard, serial, number, caller_id, order_id, payload, redeemed_at_ms, discount, currency, lines";

const COLUMNS = 11;
/** Of a row without its texts: column count, a length for each, 4 + 2 + 4 + 8 + 8 + 8 bytes, the version of jsonb. */
const FIXED_BYTES = 2 + COLUMNS * 4 + 35;
/** Of a row with a line or two. */
const USUAL_BYTES = 320;

/** Redemptions as `COPY … FROM STDIN BINARY` takes them. @throws RangeError where a number does not fit its column */
export function encodeRedemptions(rows: readonly RedemptionRow[]): Buffer {
  const copy = new BinaryCopy(rows.length * USUAL_BYTES);
  for (const row of rows) {
    const { callerId, orderId, payload, discount } = row;
    const lines = JSON.stringify(discount.lines);
    const characters = callerId.length + orderId.length + payload.length + discount.currency.length + lines.length;
    copy.begin(COLUMNS, FIXED_BYTES + UTF8_BYTES_MAX * characters);
    copy.integer(row.batch);
    copy.smallint(row.shard);
    copy.integer(row.serial);
    copy.bigint(row.number);
    copy.text(callerId);
    copy.text(orderId);
    copy.text(payload);
    copy.bigint(row.redeemedAtMs);
    copy.bigint(discount.discount);
    copy.text(discount.currency);
    copy.jsonb(lines);
  }
  return copy.finished();
}
