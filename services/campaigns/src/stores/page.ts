/** A part of a listing that is asked for: at most `limit` items that come after the item `after`. */
export interface PageAsk {
  limit: number;
  after: string | null;
}

/** A part of a listing, and how to ask for the next one; null at the end. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** One row more than asked for, which tells whether there is a next page. Ids grow with time: newest first. */
export function pageArguments<Key extends string, Where extends object>(key: Key, ask: PageAsk, where: Where) {
  const after = ask.after === null ? {} : { [key]: { lt: ask.after } };
  return { where: { ...where, ...after }, orderBy: { [key]: "desc" as const }, take: ask.limit + 1 };
}

export function toPage<Item>(rows: Item[], ask: PageAsk, keyOf: (item: Item) => string): Page<Item> {
  const items = rows.slice(0, ask.limit);
  const last = items.at(-1);
  const more = rows.length > ask.limit && last !== undefined;
  return { items, nextCursor: more ? encodeCursor(keyOf(last)) : null };
}

const encodeCursor = (id: string): string => Buffer.from(id).toString("base64url");

/** The id that a cursor of ours stands for; null for any other text. */
export function decodeCursor(cursor: string): string | null {
  const id = Buffer.from(cursor, "base64url").toString();
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) && encodeCursor(id) === cursor ? id : null;
}
