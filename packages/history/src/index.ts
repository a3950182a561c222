export { checkHistory } from "./check-history.ts";
export type * from "./history.ts";
export type * from "./ledger/ledger-rows.ts";
