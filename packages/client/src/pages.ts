import { expectValue, type Result } from "./result.ts";
import type { Page } from "./types.ts";

/** Items of all pages, each page fetched when it is reached. @throws {CallFailed} when one is refused. */
export async function* eachItem<Item>(
  fetchPage: (cursor: string | undefined) => Promise<Result<Page<Item>>>,
): AsyncGenerator<Item, void> {
  let cursor: string | undefined;
  do {
    const page = expectValue(await fetchPage(cursor));
    yield* page.items;
    if (page.nextCursor !== null && page.nextCursor === cursor) throw new Error("a page names itself as the next");
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
