import {
  type FundingShare,
  FundingSplit,
  greatestDiscount,
  PLATFORM_FUNDING,
  type PostingAccount,
  type PostingEvent,
} from "@coupon/domain";
import type { BatchBook, Fact, ShardBook } from "../log/books.ts";

/** What one line is to say; `coupons` is for how many it is. */
export interface Due {
  number: number;
  event: string;
  account: string;
  party: string;
  amount: number;
  coupons: number;
}

/** Who pays for a batch's coupons, and how amounts are split. */
export class Funding {
  readonly parties: readonly string[];
  readonly greatestParts: readonly number[];
  readonly #split: FundingSplit;

  constructor({ definition: { funding, template } }: BatchBook) {
    const shares: readonly FundingShare[] = funding.length === 0 ? PLATFORM_FUNDING : funding;
    this.parties = shares.map(({ party }) => party);
    this.#split = new FundingSplit(shares.map(({ basisPoints }) => basisPoints));
    this.greatestParts = this.split(greatestDiscount(template));
  }

  /** What is no amount of money has no parts that any line could say; the log is found wrong for it elsewhere. */
  split(amount: number): number[] {
    const isMoney = Number.isSafeInteger(amount) && amount >= 0;
    return isMoney ? this.#split.split(amount) : this.parties.map(() => Number.NaN);
  }
}

/** A coupon that was issued, a fact about one, or the end of all of them. */
type Change = { number: number; what: "issue" | "revoke" | Fact };

/** The lines that a shard's entries are to have, by what the log says alone: as where nothing is ever swept. */
export function expectedLines(shard: ShardBook, funding: Funding): Map<string, Due> {
  const lines = new ShardLines(funding);
  for (const change of changesOf(shard)) {
    if (change.what === "issue") lines.issue(change.number);
    else if (change.what === "revoke") lines.revoke(change.number);
    else lines.fact(change.number, change.what);
  }
  return lines.due;
}

function changesOf({ coupons, rulesFacts }: ShardBook): Change[] {
  const changes: Change[] = coupons.flatMap((coupon) => [
    { number: coupon.number, what: "issue" as const },
    ...(coupon.story?.facts ?? []).map((fact) => ({ number: fact.number, what: fact })),
  ]);
  for (const { number, rules } of rulesFacts) if (rules.revoked) changes.push({ number, what: "revoke" });
  return changes.sort((one, other) => one.number - other.number);
}

class ShardLines {
  readonly due = new Map<string, Due>();
  readonly #funding: Funding;
  #out = 0;
  #revoked = false;

  constructor(funding: Funding) {
    this.#funding = funding;
  }

  issue(number: number): void {
    this.#commit(number, "issue");
  }

  revoke(number: number): void {
    if (!this.#revoked) this.#liability(number, "revoke", -this.#out);
    this.#out = 0;
    this.#revoked = true;
  }

  fact(number: number, fact: Fact): void {
    if (fact.kind === "redeem") {
      this.#liability(number, "redeem", -1);
      this.#out -= 1;
      this.#cost(number, "redeem", this.#funding.split(fact.item.discount.discount));
    } else if (fact.kind === "reverse") {
      const { remaining, reversed, restored } = fact.item;
      const left = this.#funding.split(remaining);
      const before = this.#funding.split(remaining + reversed.discount);
      const back = left.map((part, index) => part - (before[index] as number));
      this.#cost(number, "reverse", back);
      if (restored && !this.#revoked) this.#commit(number, "reverse");
    } else if (fact.kind === "deactivate" && !this.#revoked) {
      this.#liability(number, "deactivate", -1);
      this.#out -= 1;
    }
  }

  #commit(number: number, event: PostingEvent): void {
    this.#liability(number, event, 1);
    this.#out += 1;
  }

  /** So many coupons more, or fewer, are out. */
  #liability(number: number, event: PostingEvent, coupons: number): void {
    const parts = this.#funding.greatestParts.map((part) => part * coupons);
    this.#add(number, event, "commitment", "liability", parts, Math.abs(coupons));
  }

  /** Coupons have cost so much more, or less. */
  #cost(number: number, event: PostingEvent, parts: readonly number[]): void {
    this.#add(number, event, "cost", "payable", parts, 1);
  }

  #add(
    number: number,
    event: PostingEvent,
    debit: PostingAccount,
    credit: PostingAccount,
    parts: readonly number[],
    coupons: number,
  ): void {
    for (const [index, party] of this.#funding.parties.entries()) {
      const amount = parts[index] as number;
      this.#sum({ number, event, account: debit, party, amount, coupons });
      this.#sum({ number, event, account: credit, party, amount: -amount, coupons });
    }
  }

  #sum(line: Due): void {
    const key = lineKey(line);
    const due = this.due.get(key);
    if (due === undefined) this.due.set(key, line);
    else {
      due.amount += line.amount;
      due.coupons += line.coupons;
    }
  }
}

export function lineKey({ number, event, account, party }: Omit<Due, "amount" | "coupons">): string {
  return `${number} ${event} ${account} ${party}`;
}
