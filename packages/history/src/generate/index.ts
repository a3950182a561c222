export { type CleanHistoryOptions, cleanHistory } from "./clean-history.ts";
export { referenceBooks } from "./reference-books.ts";
