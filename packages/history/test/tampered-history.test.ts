import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { checkHistory, type HotRow, type LogEntry, type Operation, type PromiseName } from "../src/index.ts";
import {
  last,
  line,
  type Of,
  refuseClaim,
  refuseLocks,
  refuseRedemption,
  rewrite,
  strike,
  type Whole,
  whole,
} from "./support/whole-history.ts";

const cases: [name: string, promise: PromiseName, tamper: (history: Whole) => void][] = [
  [
    "a stock below what was issued",
    "oversell",
    ({ batches }) => {
      for (const { versions } of batches) for (const { definition } of versions) definition.stock.total = 1;
    },
  ],
  [
    "sold out said before anything was",
    "undersell",
    (history) => {
      const claim = last(history, "claim", 201);
      const answer = { status: 409, body: { code: "stock_exhausted", outcome: "none" }, positions: [] };
      history.operations.push({ ...claim, id: -1, calledAtMs: 0, returnedAtMs: 1, answer });
    },
  ],
  [
    "a repeat that got another coupon of its user",
    "one_outcome",
    (history) => {
      const key = (one: Of<"claim">) => `${one.request.batchId} ${one.request.userId}`;
      const claims = history.operations.filter(
        (one): one is Of<"claim"> => one.op === "claim" && one.answer?.status === 201,
      );
      const byUser = Map.groupBy(claims, key);
      const [first, second] = [...byUser.values()].find((group) => group.length > 1) as [Of<"claim">, Of<"claim">];
      second.answer = { ...(second.answer as NonNullable<typeof second.answer>), body: first.answer?.body ?? {} };
    },
  ],
  [
    "a repeat that was refused",
    "one_outcome",
    (history) => {
      const claim = last(history, "claim", 201);
      const answer = { status: 409, body: { code: "user_limit_reached", outcome: "none" }, positions: [] };
      const calledAtMs = (claim.returnedAtMs ?? 0) + 1;
      history.operations.push({ ...claim, id: -1, calledAtMs, returnedAtMs: calledAtMs + 1, answer });
    },
  ],
  [
    "a user refused who had nothing",
    "unjust_refusal",
    (history) => {
      const claim = last(history, "claim", 201);
      const answer = { status: 409, body: { code: "user_limit_reached", outcome: "none" }, positions: [] };
      const request = { ...claim.request, userId: "nobody" };
      history.operations.push({ ...claim, id: -1, request, answer });
    },
  ],
  [
    "a coupon answered that is in no log",
    "lost",
    (history) => {
      const claim = last(history, "claim", 201);
      claim.answer = { ...(claim.answer as NonNullable<typeof claim.answer>), body: { couponId: "1".repeat(32) } };
    },
  ],
  [
    "a redemption answered that is in no log",
    "lost",
    (history) => {
      const redeem = last(history, "redeem");
      history.operations.push({ ...redeem, id: -1, request: { ...redeem.request, orderId: "never" } });
    },
  ],
  [
    "an answer at an earlier position",
    "answered_early",
    (history) => {
      const claim = last(history, "claim", 201);
      const [position] = claim.answer?.positions ?? [];
      if (position !== undefined) (position as { offset: number }).offset -= 1;
    },
  ],
  [
    "a shard that answers from the past",
    "stale",
    (history) => {
      const claim = last(history, "claim", 200);
      const calledAtMs = Number.MAX_SAFE_INTEGER - 2;
      const early = history.operations.find(
        (one) => one.op === "claim" && one.answer?.status === 201 && one.request.batchId === claim.request.batchId,
      );
      history.operations.push({
        ...(early as Operation),
        id: -1,
        calledAtMs,
        returnedAtMs: calledAtMs + 1,
      } as Operation);
    },
  ],
  [
    "a coupon that nobody asked for",
    "phantom",
    (history) => {
      const { userId } = last(history, "claim", 201).request;
      history.operations = history.operations.filter(
        (one) => !("userId" in one.request && one.request.userId === userId) && one.op !== "grant",
      );
    },
  ],
  [
    "a redemption that was refused",
    "phantom",
    (history) => {
      const { orderId } = last(history, "redeem").request;
      history.operations = history.operations.filter((one) => one.op !== "redeem" || one.request.orderId !== orderId);
    },
  ],
  [
    "a coupon redeemed by two orders",
    "redeemed_twice",
    (history) => {
      rewrite(
        history,
        ({ kind }) => kind === "redeem",
        () => undefined,
      );
      const redeem = history.log.findLast(({ kind, marker }) => marker === null && kind === "redeem") as LogEntry;
      const shard = history.log.filter(
        (one) => one.batch === redeem.batch && one.shard === redeem.shard && one.marker === null,
      );
      const at = shard.at(-1) as LogEntry;
      const entry = {
        ...JSON.parse(redeem.text),
        number: at.number + 1,
        prev: hash("sha1", at.text, "hex"),
        at: JSON.parse(at.text).at,
      };
      entry.items[0].orderId = "another";
      const messages = history.log.filter(({ partition }) => partition === at.partition);
      const epoch = messages.findLast(({ marker }) => marker !== null)?.offset as number;
      const offset = messages.length;
      const index = history.log.indexOf(messages.at(-1) as LogEntry);
      history.log.splice(index + 1, 0, {
        ...redeem,
        partition: at.partition,
        offset,
        epoch,
        number: entry.number,
        text: JSON.stringify(entry),
      });
    },
  ],
  [
    "a hold of another order that was passed over",
    "hold_shared",
    (history) => {
      rewrite(
        history,
        (entry) =>
          entry.kind === "redeem" &&
          history.log.some(
            ({ text }) => text.includes(`"kind":"lock"`) && text.includes(entry.items[0]?.orderId ?? ""),
          ),
        (entry) => {
          if (entry.kind === "redeem" && entry.items[0] !== undefined) entry.items[0].orderId = "another";
        },
      );
    },
  ],
  [
    "a coupon used by another user",
    "not_owned",
    (history) => {
      rewrite(
        history,
        ({ kind }) => kind === "lock",
        (entry) => {
          if (entry.kind === "lock" && entry.items[0] !== undefined) entry.items[0].userId = "thief";
        },
      );
    },
  ],
  [
    "a discount off by one",
    "money",
    (history) => {
      const lock = last(history, "lock");
      lock.answer = structuredClone(lock.answer);
      const [told] = lock.answer?.body.coupons ?? [];
      if (told !== undefined) told.discount = (told.discount ?? 0) + 1;
    },
  ],
  [
    "a reversal of more than remains",
    "money",
    (history) => {
      rewrite(
        history,
        ({ kind }) => kind === "reverse",
        (entry) => {
          if (entry.kind === "reverse" && entry.items[0] !== undefined) entry.items[0].reversed.discount += 1;
        },
      );
    },
  ],
  [
    "an issue before the window",
    "rules_broken",
    (history) => {
      rewrite(
        history,
        ({ kind }) => kind === "rules",
        (entry) => {
          if (entry.kind === "rules") entry.rules.state = "paused";
        },
      );
    },
  ],
  [
    "a credit larger than its debit",
    "stock_moved",
    (history) => {
      rewrite(
        history,
        ({ kind }) => kind === "credit",
        (entry) => {
          if (entry.kind === "credit") entry.amount += 1;
        },
      );
    },
  ],
  [
    "a text that was changed",
    "log_broken",
    (history) => {
      const entry = history.log.find(({ kind, marker }) => marker === null && kind === "issue") as LogEntry;
      entry.text = entry.text.replace('"kind"', ' "kind"');
    },
  ],
  [
    "a message that is missing",
    "log_broken",
    (history) => {
      history.log.splice(500, 1);
    },
  ],
  ["a coupon's row that is missing", "ledger_differs", ({ ledger }) => void ledger.coupons.pop()],
  ["a coupon's row that is there twice", "ledger_differs", ({ ledger }) => void ledger.coupons.push(ledger.coupons[0])],
  [
    "a coupon's row in another state",
    "ledger_differs",
    ({ ledger }) => {
      (ledger.coupons[0] as { state: number }).state = 9;
    },
  ],
  [
    "a shard's counter off by one",
    "ledger_differs",
    ({ ledger }) => {
      (ledger.shards[0] as { issued: number }).issued += 1;
    },
  ],
  [
    "a redemption's amount off by one",
    "ledger_differs",
    ({ ledger }) => {
      const [row] = [...ledger.redemptions];
      if (row !== undefined) row.discount.discount += 1;
    },
  ],
  ["a hold's row that is missing", "ledger_differs", ({ ledger }) => void (ledger.holds as unknown[]).pop()],
  [
    "a line of an amount off by one",
    "money",
    (history) => {
      line(history, "redeem", "cost").amount += 1;
    },
  ],
  ["a line that is there twice", "money", ({ books }) => void books.postings.push(books.postings[0])],
  [
    "one party's lines that are missing",
    "money",
    (history) => {
      const { number, batch, shard, party } = line(history, "redeem", "cost");
      strike(
        history,
        history.books.postings.filter(
          (one) => one.number === number && one.batch === batch && one.shard === shard && one.party === party,
        ),
      );
    },
  ],
  [
    "a reversal without lines",
    "money",
    (history) => {
      const { number, batch, shard } = line(history, "reverse", "cost");
      strike(
        history,
        history.books.postings.filter((one) => one.number === number && one.batch === batch && one.shard === shard),
      );
    },
  ],
  [
    "a reversal that leaves less than nothing",
    "money",
    (history) =>
      rewrite(
        history,
        ({ kind }) => kind === "reverse",
        (entry) => {
          if (entry.kind === "reverse") for (const item of entry.items) item.remaining = -item.reversed.discount - 1;
        },
      ),
  ],
  [
    "a balance off by one",
    "money",
    ({ books }) => {
      (books.balances[0] as { amount: number }).amount += 1;
    },
  ],
  [
    "an expiry of a coupon that may still be redeemed",
    "money",
    ({ books }) => {
      const issued = books.postings.filter((one) => one.event === "issue").slice(0, 2);
      for (const one of issued) {
        const expired = { ...one, event: "expire", amount: -one.amount };
        books.postings.push(expired);
        books.balances.push(expired);
      }
    },
  ],
  [
    "a day sold out before anything was",
    "unjust_refusal",
    (history) => refuseClaim(history, "daily_stock_exhausted", 0),
  ],
  ["a batch ended in its window", "unjust_refusal", (history) => refuseClaim(history, "batch_ended", 0)],
  ["a batch not started that issues", "unjust_refusal", (history) => refuseClaim(history, "batch_not_started", 1e15)],
  ["a hold ended before its deadline", "unjust_refusal", (history) => refuseRedemption(history, "hold_ended")],
  ["a coupon expired before its time", "unjust_refusal", (history) => refuseRedemption(history, "coupon_expired")],
  ["a shard that Redis lacks", "redis_differs", ({ hot }) => void hot.pop()],
  [
    "stock in Redis off by one",
    "redis_differs",
    ({ hot }) => {
      (hot[0] as HotRow).left += 1;
    },
  ],
  [
    "a shard in Redis of another history",
    "redis_differs",
    ({ hot }) => {
      (hot[0] as HotRow).hash = "0";
    },
  ],
];

test("the history that is tampered with is clean before", () => {
  expect(checkHistory(whole())).toEqual([]);
});

test.each(cases)("finds %s", (_name, promise, tamper) => {
  const history = whole();
  tamper(history);
  const found = checkHistory(history);
  expect(found.map((one) => one.promise)).toContain(promise);
});

test("counts what it does not tell in full", () => {
  const history = whole();
  history.ledger.coupons.length = 0;
  const findings = checkHistory(history, { detailedMax: 3 }).filter(({ promise }) => promise === "ledger_differs");
  expect(findings).toHaveLength(4);
  expect(findings.at(-1)?.detail).toMatch(/^and \d+ more of this kind$/);
});

test("a refused lock that is in the log is a phantom, unless its order ended it", () => {
  const phantomsOf = (ended: boolean): number => {
    const history = whole();
    expect(refuseLocks(history, ended).length).toBeGreaterThan(0);
    return checkHistory(history).filter(({ promise }) => promise === "phantom").length;
  };
  expect(phantomsOf(true)).toBe(0);
  expect(phantomsOf(false)).toBeGreaterThan(0);
});
