import { hash } from "node:crypto";
import type { Entry } from "@coupon/domain";
import { cleanHistory, referenceBooks } from "../../src/generate/index.ts";
import type { BookRows, History, HotRow, LedgerRows, LogEntry, Operation } from "../../src/index.ts";

/** A clean history with everything in arrays, to be changed. */
export interface Whole extends History {
  operations: Operation[];
  log: LogEntry[];
  ledger: LedgerRows & { coupons: LedgerRows["coupons"] & unknown[] };
  books: BookRows & { postings: unknown[]; balances: unknown[] };
  hot: HotRow[];
}

export function whole(): Whole {
  const history = cleanHistory({ seed: 12, operations: 20_000 });
  const ledger = history.ledger as LedgerRows;
  return {
    ...history,
    operations: structuredClone([...history.operations]),
    log: structuredClone([...history.log]),
    ledger: structuredClone({ ...ledger, coupons: [...ledger.coupons] }),
    books: referenceBooks(history.log, history.batches) as Whole["books"],
    hot: ledger.shards.map(hotRow),
  };
}

function hotRow({
  batch,
  shard,
  number,
  hash,
  issued,
  rules,
  credited,
  debited,
}: LedgerRows["shards"][number]): HotRow {
  return { batch, shard, number, hash, issued, left: (rules?.allotment ?? 0) + credited - debited - issued };
}

/** The first line of that event and account. */
export function line(history: Whole, event: string, account: string): BookRows["postings"][number] {
  const found = history.books.postings.find((one) => one.event === event && one.account === account);
  if (found === undefined) throw new Error(`the books have no ${event} in ${account}`);
  return found;
}

/** Takes lines out of the books, and out of what they add up to. */
export function strike(history: Whole, lines: readonly BookRows["postings"][number][]): void {
  for (const { number: _, amount, coupons, ...account } of lines) {
    const balance = history.books.balances.find((one) =>
      Object.entries(account).every(([name, value]) => one[name as keyof typeof one] === value),
    );
    if (balance === undefined) throw new Error("a line without a balance");
    balance.amount -= amount;
    balance.coupons -= coupons;
  }
  (history.books as { postings: unknown[] }).postings = history.books.postings.filter((one) => !lines.includes(one));
}

export type Of<Name extends Operation["op"]> = Extract<Operation, { op: Name }>;

/** The last successful operation of a kind whose answer is not a repeat. */
export function last<Name extends Operation["op"]>(history: Whole, op: Name, status = 200): Of<Name> {
  const found = history.operations.findLast((one) => one.op === op && one.answer?.status === status);
  if (found === undefined) throw new Error(`the history has no ${op}`);
  return found as Of<Name>;
}

/** Changes an entry's text and everything that follows from it in its shard. */
export function rewrite(history: Whole, wanted: (entry: Entry) => boolean, change: (entry: Entry) => void): void {
  const first = history.log.find(({ marker, text }) => marker === null && wanted(JSON.parse(text) as Entry));
  if (first === undefined) throw new Error("the log has no such entry");
  let prev: string | null = null;
  for (let number = first.number; ; number += 1) {
    const copies = history.log.filter(
      (one) => one.batch === first.batch && one.shard === first.shard && one.number === number,
    );
    if (copies[0] === undefined) return;
    const entry = JSON.parse(copies[0].text) as Entry;
    if (number === first.number) change(entry);
    if (prev !== null) entry.prev = prev;
    const text = JSON.stringify(entry);
    for (const copy of copies) copy.text = text;
    prev = hash("sha1", text, "hex");
  }
}

/** A claim of the first batch that was refused so, at that time, with a clock of the scripts' that is the callers'. */
export function refuseClaim(history: Whole, code: string, atMs: number): void {
  const claim = history.operations.find((one): one is Of<"claim"> => one.op === "claim" && one.answer?.status === 201);
  if (claim === undefined) throw new Error("the history has no claim");
  const answer = { status: 409, body: { code, outcome: "none" }, positions: [] };
  history.operations.push({ ...claim, id: -1, calledAtMs: atMs, returnedAtMs: atMs + 1, answer });
  history.clock = { originMs: Date.UTC(2026, 0, 1), toleranceMs: 0 };
}

/** The last lock of an order that did nothing else with its coupon is followed by a refusal of its redemption. */
export function refuseRedemption(history: Whole, code: string): void {
  const busy = new Set(
    history.operations.flatMap(({ op, request }) => (op !== "lock" && "orderId" in request ? [request.orderId] : [])),
  );
  const lock = history.operations.findLast(
    (one): one is Of<"lock"> => one.op === "lock" && one.answer?.status === 200 && !busy.has(one.request.orderId),
  );
  if (lock === undefined) throw new Error("every order that locked has gone on");
  const { orderId, userId, couponIds } = lock.request;
  const atMs = (lock.returnedAtMs ?? 0) + 1;
  history.operations.push({
    ...{ id: -1, callerId: lock.callerId, client: "c", calledAtMs: atMs, returnedAtMs: atMs },
    ...{ op: "redeem", request: { orderId, userId, couponIds } },
    answer: { status: 409, body: { code, outcome: "none" }, positions: [] },
  });
  history.clock = { originMs: 0, toleranceMs: 0 };
}

/** Refuses every lock of the orders that have ended a hold by a release or a redemption, or of the others. */
export function refuseLocks(history: Whole, ended: boolean): string[] {
  const orders = history.log.flatMap(({ text }) => {
    const entry = JSON.parse(text) as Entry;
    return entry.kind === "release" || entry.kind === "redeem" ? entry.items.map(({ orderId }) => orderId) : [];
  });
  const locks = history.operations.filter((one) => one.op === "lock" && one.answer?.status === 200) as Of<"lock">[];
  const refused = locks.filter(({ request }) => orders.includes(request.orderId) === ended);
  for (const lock of refused) {
    const body = { code: "coupon_locked", outcome: "none" };
    lock.answer = { ...structuredClone(lock.answer), status: 409, body, positions: [] } as Of<"lock">["answer"];
  }
  return refused.map(({ request }) => request.orderId);
}
