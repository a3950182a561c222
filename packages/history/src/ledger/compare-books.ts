import { couponWindow } from "@coupon/domain";
import type { Findings } from "../findings.ts";
import type { Books, ShardBook } from "../log/books.ts";
import { type Due, expectedLines, Funding, lineKey } from "./expected-lines.ts";
import type { BookRows, PostingRow } from "./ledger-rows.ts";

/**
 * Holds the books to the log: every entry has its lines once, with the right amounts; the lines of every event of an
 * entry add up to nothing for each party; balances are what the lines add up to; and what is owed at the end is the
 * greatest discount of every coupon that may still be redeemed.
 */
export function compareBooks(rows: BookRows, books: Books, findings: Findings): void {
  compareBalances(rows, findings);
  const postings = Map.groupBy(rows.postings, ({ batch, shard }) => `${batch}.${shard}`);
  for (const batch of books.byNumber.values()) {
    const funding = new Funding(batch);
    for (const shard of batch.shards.values()) {
      const key = `${batch.number}.${shard.shard}`;
      new ShardBooks(shard, funding, rows, findings).compare(postings.get(key) ?? []);
      postings.delete(key);
    }
  }
  for (const key of postings.keys()) findings.add("money", `shard ${key} has lines in the books and no entry`);
}

/** What depends on when sweeps came, which is no entry: held to balance and to what is owed at the end. */
const sweepsDecide: ReadonlySet<string> = new Set([
  "expire commitment",
  "expire liability",
  "reinstate commitment",
  "reinstate liability",
  "reverse commitment",
  "reverse liability",
  "deactivate commitment",
  "deactivate liability",
  "revoke commitment",
  "revoke liability",
]);

class ShardBooks {
  readonly #shard: ShardBook;
  readonly #funding: Funding;
  readonly #findings: Findings;
  readonly #swept: number;
  readonly #sweptUntilMs: number;
  readonly #deferred: ReadonlySet<number>;

  constructor(shard: ShardBook, funding: Funding, rows: BookRows, findings: Findings) {
    const isOwn = (row: { batch: number; shard: number }) =>
      row.batch === shard.batch.number && row.shard === shard.shard;
    const { swept, sweptUntilMs } = rows.shards.find(isOwn) ?? { swept: 0, sweptUntilMs: 0 };
    this.#shard = shard;
    this.#funding = funding;
    this.#findings = findings;
    this.#swept = swept;
    this.#sweptUntilMs = sweptUntilMs;
    this.#deferred = new Set(rows.deferred.filter(isOwn).map(({ serial }) => serial));
  }

  compare(postings: readonly PostingRow[]): void {
    this.#compareLines(postings);
    this.#checkBalanced(postings);
    this.#checkOwed(postings);
    this.#checkSwept();
  }

  #compareLines(postings: readonly PostingRow[]): void {
    const due = expectedLines(this.#shard, this.#funding);
    const found = Map.groupBy(postings, lineKey);
    for (const [key, line] of due) {
      if (!this.#isSettled(line)) continue;
      const lines = found.get(key) ?? [];
      if (lines.length !== (line.amount === 0 ? 0 : 1)) {
        this.#wrong(line, `has ${lines.length} lines of ${line.account} for ${line.party}`);
      }
      const wrong = lines.find(({ amount, coupons }) => amount !== line.amount || coupons !== line.coupons);
      if (wrong !== undefined) {
        const { amount, coupons } = wrong;
        const is = `${amount} for ${coupons} coupons`;
        this.#wrong(line, `has ${is} in ${line.account} of ${line.party}, not ${line.amount} for ${line.coupons}`);
      }
    }
    for (const line of postings) {
      if (this.#isSettled(line) && !due.has(lineKey(line))) this.#wrong(line, `has a line that nothing asks for`);
    }
  }

  #isSettled({ event, account }: Pick<Due, "event" | "account">): boolean {
    return this.#swept === 0 || !sweepsDecide.has(`${event} ${account}`);
  }

  #checkBalanced(postings: readonly PostingRow[]): void {
    const events = Map.groupBy(postings, ({ number, event, party }) => `${number} ${event} ${party}`);
    for (const lines of events.values()) {
      const [first] = lines as [PostingRow];
      const sum = sumOf(lines);
      if (sum !== 0) this.#wrong(first, `does not balance for ${first.party}: ${sum}`);
    }
    for (const line of postings) {
      const { event, account, party, amount, coupons } = line;
      const greatest = this.#funding.greatestParts[this.#funding.parties.indexOf(party)] ?? Number.NaN;
      const swept = sweepsDecide.has(`${event} ${account}`);
      if (swept && Math.abs(amount) !== greatest * coupons) {
        this.#wrong(line, `is ${amount} for ${coupons} coupons of ${greatest} each`);
      }
    }
  }

  /** Liability at the end, whatever way it came. */
  #checkOwed(postings: readonly PostingRow[]): void {
    const out = this.#shard.rules?.revoked === true ? 0 : this.#shard.coupons.filter((one) => this.#isOut(one)).length;
    for (const [index, party] of this.#funding.parties.entries()) {
      const due = out * (this.#funding.greatestParts[index] as number);
      for (const [account, amount] of [
        ["commitment", due],
        ["liability", -due],
      ] as const) {
        const sum = sumOf(postings.filter((line) => line.account === account && line.party === party));
        if (sum === amount) continue;
        this.#add(`${this.#name} has a ${account} of ${sum} for ${party}, not ${amount}: ${out} coupons are out`);
      }
    }
  }

  #isOut({ serial, story }: ShardBook["coupons"][number]): boolean {
    const isOver = story?.state === "redeemed" || story?.state === "deactivated";
    return !isOver && (serial >= this.#swept || this.#deferred.has(serial));
  }

  #checkSwept(): void {
    const { template } = this.#shard.batch.definition;
    const early = this.#shard.coupons
      .slice(0, this.#swept)
      .find(
        ({ issuedAtMs }) => couponWindow(template, Math.floor(issuedAtMs / 1_000)).validUntilMs > this.#sweptUntilMs,
      );
    if (early !== undefined) this.#add(`${this.#name} has swept serial ${early.serial} before it was over`);
  }

  get #name(): string {
    return `shard ${this.#shard.batch.number}.${this.#shard.shard}`;
  }

  #wrong({ number, event }: Pick<Due, "number" | "event">, what: string): void {
    const { batch, shard, partition, coupons, rulesFacts } = this.#shard;
    const facts = coupons.flatMap((coupon) => [coupon, ...(coupon.story?.facts ?? [])]);
    const at = [...facts, ...rulesFacts].find((one) => one.number === number);
    const places = at === undefined ? [] : [{ batch: batch.number, shard, number, partition, offset: at.offset }];
    this.#findings.add("money", `the ${event} at entry ${number} of ${this.#name} ${what}`, [], places);
  }

  #add(detail: string): void {
    this.#findings.add("money", detail);
  }
}

function sumOf(lines: readonly { amount: number }[]): number {
  return lines.reduce((sum, { amount }) => sum + amount, 0);
}

/** Balances are sums of lines, and those of one party add up to nothing. */
function compareBalances({ postings, balances }: BookRows, findings: Findings): void {
  const nameOf = ({ batch, shard, event, account, party }: (typeof balances)[number]) =>
    `${batch}.${shard} ${event} ${account} ${party}`;
  const lines = Map.groupBy(postings, nameOf);
  for (const balance of balances) {
    const name = nameOf(balance);
    const own = lines.get(name) ?? [];
    lines.delete(name);
    const coupons = own.reduce((sum, line) => sum + line.coupons, 0);
    if (sumOf(own) === balance.amount && coupons === balance.coupons) continue;
    const has = `${balance.amount} for ${balance.coupons} coupons`;
    findings.add("money", `the balance ${name} is ${has}, and its lines add up to ${sumOf(own)} for ${coupons}`);
  }
  for (const name of lines.keys()) findings.add("money", `the lines of ${name} have no balance`);
  for (const [party, rows] of Map.groupBy(balances, ({ party }) => party)) {
    const sum = sumOf(rows);
    if (sum !== 0) findings.add("money", `the trial balance of ${party} is ${sum}, not 0`);
  }
}
