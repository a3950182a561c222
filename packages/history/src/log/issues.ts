import { dayAt, type Entry, startOfDayMs } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import { type At, type CouponBook, nameOf, placeOf, type ShardBook } from "./books.ts";

type IssueEntry = Extract<Entry, { kind: "issue" }>;

/** Coupons of an entry, each held to the rules that were in force in its shard. */
export function applyIssue(entry: IssueEntry, at: At, findings: Findings): void {
  const { shard } = at;
  checkOpen(entry, at, findings);
  turnDay(entry, at, findings);
  for (const [serial, userId, callerId, keyHash, via] of entry.items) {
    if (serial !== shard.coupons.length) {
      const detail = `serial ${serial} of shard ${shard.batch.number}.${shard.shard} where ${shard.coupons.length} is due`;
      findings.add("log_broken", detail, [], [placeOf(at)]);
    }
    const coupon: CouponBook = {
      ...at,
      serial: shard.coupons.length,
      userId,
      callerId,
      keyHash,
      via,
      issuedAtMs: entry.at,
      before: shard.batch.users.get(userId) ?? null,
      story: null,
      explained: false,
      calledMs: Number.POSITIVE_INFINITY,
      returnedMs: Number.POSITIVE_INFINITY,
      refusedMs: Number.NEGATIVE_INFINITY,
      refusedBy: -1,
      rows: 0,
    };
    shard.coupons.push(coupon);
    shard.left -= 1;
    shard.dayIssued += 1;
    checkStock(coupon, findings);
    checkUser(coupon, findings);
    checkKey(coupon, findings);
  }
}

function checkOpen(entry: IssueEntry, at: At, findings: Findings): void {
  const { rules } = at.shard;
  const open =
    rules !== null &&
    rules.state === "issuing" &&
    entry.at >= rules.fromMs &&
    entry.at < rules.untilMs &&
    !rules.revoked;
  if (!open) findings.add("rules_broken", `entry ${at.number} issues while the batch is not open`, [], [placeOf(at)]);
}

/** The day is worked out anew from the entry's time, whatever the entry says of it. */
function turnDay(entry: IssueEntry, at: At, findings: Findings): void {
  const { shard } = at;
  const { timeZone } = shard.batch.definition;
  const startMs = startOfDayMs(timeZone, dayAt(timeZone, entry.at));
  if (entry.day !== startMs && limitsDays(shard)) {
    findings.add(
      "rules_broken",
      `entry ${at.number} counts in the day of ${entry.day}, not ${startMs}`,
      [],
      [placeOf(at)],
    );
  }
  if (startMs === shard.dayStartMs) return;
  shard.dayStartMs = startMs;
  shard.dayIssued = 0;
}

function limitsDays({ rules }: ShardBook): boolean {
  return rules !== null && (rules.perDay !== null || rules.perUserPerDay !== null);
}

function checkStock(coupon: CouponBook, findings: Findings): void {
  const { shard } = coupon;
  if (shard.left < 0) findings.add("oversell", `${nameOf(coupon)} is beyond its shard's stock`, [], [placeOf(coupon)]);
  const { perDay } = shard.rules ?? { perDay: null };
  if (perDay !== null && shard.dayIssued > perDay) {
    findings.add(
      "oversell",
      `${nameOf(coupon)} is number ${shard.dayIssued} of a day's ${perDay}`,
      [],
      [placeOf(coupon)],
    );
  }
}

function checkUser(coupon: CouponBook, findings: Findings): void {
  const { shard, userId } = coupon;
  const { batch, rules } = shard;
  const held = (batch.heldBy.get(userId) ?? 0) + 1;
  batch.heldBy.set(userId, held);
  batch.users.set(userId, coupon);
  if (rules === null) return;
  if (held > rules.perUser) {
    findings.add(
      "oversell",
      `${nameOf(coupon)} is number ${held} of user ${userId}, who may have ${rules.perUser}`,
      [],
      [placeOf(coupon)],
    );
  }
  if (rules.perUserPerDay === null) return;
  const key = `${userId} ${shard.dayStartMs}`;
  const today = (batch.heldOnDay.get(key) ?? 0) + 1;
  batch.heldOnDay.set(key, today);
  if (today <= rules.perUserPerDay) return;
  const detail = `${nameOf(coupon)} is number ${today} of user ${userId} in a day, who may have ${rules.perUserPerDay}`;
  findings.add("oversell", detail, [], [placeOf(coupon)]);
}

function checkKey(coupon: CouponBook, findings: Findings): void {
  const { keys } = coupon.shard.batch;
  const key = `${coupon.userId} ${coupon.keyHash}`;
  const other = keys.get(key);
  if (other === undefined) keys.set(key, coupon);
  else {
    const detail = `${nameOf(other)} and ${nameOf(coupon)} were issued under one key`;
    findings.add("one_outcome", detail, [], [placeOf(other), placeOf(coupon)]);
  }
}
