export { type CleanHistoryOptions, cleanHistory } from "./clean-history.ts";
