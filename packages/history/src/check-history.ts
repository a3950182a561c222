import { Claims } from "./calls/claims.ts";
import { Orders } from "./calls/orders.ts";
import { Positions } from "./calls/positions.ts";
import { checkRead } from "./calls/reads.ts";
import { Refusals } from "./calls/refusals.ts";
import { Findings } from "./findings.ts";
import type { Finding, History, Operation } from "./history.ts";
import { compareBooks } from "./ledger/compare-books.ts";
import { compareHot } from "./ledger/compare-hot.ts";
import { compareLedger } from "./ledger/compare-ledger.ts";
import { Books } from "./log/books.ts";
import { readLog } from "./log/read-log.ts";

/**
 * Decides every promise by a whole history; nothing found means that none is broken as far as this history
 * shows. The log comes first, by the counting rule, and makes the books; rows and operations are held to
 * them one by one, so that each part of the history is read once and may be made as it is read.
 *
 * @param options.detailedMax findings of a promise that are given in full; the rest is counted. Default 20
 */
export function checkHistory(history: History, options: { detailedMax?: number } = {}): Finding[] {
  const findings = new Findings(options.detailedMax);
  const books = new Books(history);
  readLog(history, books, findings);
  if (history.ledger !== null) compareLedger(history.ledger, books, findings);
  if (history.books !== undefined) compareBooks(history.books, books, findings);
  if (history.hot !== undefined) compareHot(history.hot, books, findings);
  const refusals = new Refusals(history.clock);
  const positions = new Positions();
  const claims = new Claims(books, findings, refusals, positions, history.keyHash);
  const orders = new Orders(books, findings, refusals, positions, history.keyHash);
  for (const operation of history.operations) take(operation);
  claims.finish();
  orders.finish();
  refusals.finish(findings);
  positions.finish(findings);
  return findings.list();

  function take(operation: Operation): void {
    switch (operation.op) {
      case "claim":
        claims.claim(operation);
        break;
      case "grant":
        claims.grant(operation);
        break;
      case "deactivate":
        orders.deactivate(operation);
        break;
      case "readCoupon":
      case "readOrder":
      case "listCoupons":
        checkRead(operation, books, findings);
        break;
      default:
        orders.take(operation);
    }
  }
}
