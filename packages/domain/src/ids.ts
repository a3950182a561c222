/** The alphabets and lengths of what callers name things by. Patterns are for schemas, too. */

/** Of user ids and order ids: opaque. */
export const OPAQUE_ID_PATTERN = "^[A-Za-z0-9._:@-]{1,128}$";
/** Of an `Idempotency-Key`: visible ASCII. */
export const IDEMPOTENCY_KEY_PATTERN = "^[\\x21-\\x7E]{1,64}$";
/** Of ids inside an order or a scope (lines, products, categories, sellers): visible ASCII. */
export const ITEM_ID_PATTERN = "^[\\x21-\\x7E]{1,128}$";

const opaqueId = new RegExp(OPAQUE_ID_PATTERN);
const idempotencyKey = new RegExp(IDEMPOTENCY_KEY_PATTERN);
const itemId = new RegExp(ITEM_ID_PATTERN);

/** Whether this can be a user id. */
export function isUserId(text: string): boolean {
  return opaqueId.test(text);
}

/** Whether this can be an order id. */
export function isOrderId(text: string): boolean {
  return opaqueId.test(text);
}

/** Whether this can be an idempotency key. */
export function isIdempotencyKey(text: string): boolean {
  return idempotencyKey.test(text);
}

/** Whether this can be the id of an order's line, or of a product, category or seller. */
export function isItemId(text: string): boolean {
  return itemId.test(text);
}
