import type { AccountBalance, JournalLine, ShardMoney } from "@coupon/database";
import type { PostingAccount, PostingEvent } from "@coupon/domain";
import type { PostingTerms } from "../../../posting/terms.ts";
import type { ExpectedLine, Repair, ReportBooks } from "./books-finding.ts";
import { type EntryMoney, type EntryTold, moneyKinds } from "./entry-money.ts";
import { openedAfter } from "./opened-after.ts";

type Place = Pick<JournalLine, "account" | "party" | "amount" | "coupons">;
/** What an event must come to on each account of each party. */
type Wanted = Map<string, Place>;
/** The event looked at. `atMs` is null where the log does not tell it. */
interface At {
  number: number;
  event: PostingEvent;
  atMs: number | null;
  serial: number | null;
  repair: Repair;
}

const DEBITED: PostingAccount[] = ["commitment", "cost"];
const TWIN = { commitment: "liability", liability: "commitment", cost: "payable", payable: "cost" } as const;

/**
 * Compares a shard's journal with what the log says of its entries, line by line, and adds up what it must come to. The
 * lines are taken in the order of their entries, windows of entries one after the other.
 */
export class JournalCheck {
  /** What the journal comes to once its wrong lines are set right, by {@link balanceKey}. */
  readonly sums = new Map<string, AccountBalance>();
  readonly #terms: PostingTerms;
  readonly #report: ReportBooks;
  /** Entries up to here are older than the books, which began with the opening lines; -1 where none are. */
  readonly #openedAfter: number;
  readonly #last: number;
  /** Sums of the lines that are what the balances say. */
  readonly #trusted: ReadonlySet<string>;
  /** Coupons that the journal has out after the entry looked at last. */
  #out = 0;
  #number = 0;
  #lines: JournalLine[] = [];
  #isInferred = false;
  #isUntold = false;

  /** @param last the shard's last entry: no line is of a later one */
  constructor(
    terms: PostingTerms,
    books: Pick<ShardMoney, "balances" | "journal" | "openings">,
    last: number,
    report: ReportBooks,
  ) {
    this.#terms = terms;
    this.#report = report;
    this.#openedAfter = openedAfter(books);
    this.#last = last;
    const kept = new Map(books.balances.map((each) => [balanceKey(each), each.amount]));
    const same = books.journal.filter((each) => kept.get(balanceKey(each)) === each.amount);
    this.#trusted = new Set(same.map(balanceKey));
  }

  /**
   * Whether what would set all wrong lines right is known. Some of it alone would leave the journal worse than it is.
   *
   * @param agrees whether the journal, set right, comes to what the coupons say
   */
  isRepairable(agrees: boolean): boolean {
    return !this.#isUntold && (agrees || !this.#isInferred);
  }

  /** Takes the next line. */
  take(line: JournalLine, money: EntryMoney): void {
    if (line.number !== this.#number) this.passTo(line.number, money);
    this.#lines.push(line);
  }

  /** All lines of the window's entries before `number` have been taken. */
  passTo(number: number, money: EntryMoney): void {
    if (this.#lines.length > 0) this.#entry(this.#number, money);
    const { from, to } = money.window;
    const done = this.#lines.length > 0 ? this.#number : this.#number - 1;
    this.#lines = [];
    for (let each = Math.max(done + 1, from); each < Math.min(number, to + 1); each += 1) this.#entry(each, money);
    this.#number = number;
  }

  #entry(number: number, money: EntryMoney): void {
    // No entry has such a number. Where a line has got it from can be known of a log that tells all.
    const isNowhere = number < 1 || number > this.#last;
    const told = number > this.#openedAfter && !isNowhere ? money.told(number) : null;
    const found = Map.groupBy(this.#lines, ({ event }) => event);
    const expected: Map<PostingEvent, Wanted> = told === null ? new Map() : this.#wantedOf(told, found);
    const repair = told !== null ? "told" : isNowhere && money.isWhole ? "inferred" : "none";
    const serial = told?.serial ?? null;
    for (const event of new Set([...expected.keys(), ...found.keys()])) {
      const lines = found.get(event) ?? [];
      const wanted = expected.get(event);
      const isOlder = number < money.toldFrom;
      const isSided = event === "expire" || (event === "open" ? number === this.#openedAfter : isOlder);
      const at = { number, event, serial, repair } as const;
      if (wanted !== undefined) this.#compare({ ...at, atMs: told?.atMs ?? null }, lines, wanted);
      else if (!isSided || isNowhere) this.#compare({ ...at, atMs: null }, lines, new Map());
      else this.#compareSides(at, this.#withoutMisnamed(at, lines, found, expected));
    }
  }

  /** A line on one side only, where another event of the entry lacks just that line, is of that event: it is taken out. */
  #withoutMisnamed(
    at: Omit<At, "atMs">,
    lines: JournalLine[],
    found: Map<PostingEvent, JournalLine[]>,
    expected: Map<PostingEvent, Wanted>,
  ): JournalLine[] {
    const isBalanced = lines.reduce((sum, { amount }) => sum + amount, 0) === 0;
    const lacking = [...expected].flatMap(([event, wanted]) => {
      const has = new Set((found.get(event) ?? []).map(placeKey));
      return [...wanted.values()].filter((place) => !has.has(placeKey(place)));
    });
    const isOf = (line: JournalLine, place: Place) =>
      placeKey(line) === placeKey(place) && line.amount === place.amount && line.coupons === place.coupons;
    const misnamed = isBalanced ? [] : lines.filter((line) => lacking.some((place) => isOf(line, place)));
    this.#compare({ ...at, atMs: null }, misnamed, new Map());
    return lines.filter((line) => !misnamed.includes(line));
  }

  /** What an entry must have brought, by event. */
  #wantedOf(told: EntryTold, found: Map<PostingEvent, JournalLine[]>): Map<PostingEvent, Wanted> {
    const { coupons, parts } = told;
    const more = (event: PostingEvent) => this.#moreOf(told, found.get(event) ?? []);
    switch (told.kind) {
      case moneyKinds.issue:
        return new Map([["issue", this.#moved(coupons)]]);
      case moneyKinds.lock:
        return new Map([["reinstate", this.#moved(more("reinstate"))]]);
      case moneyKinds.redeem:
        return new Map([
          ["reinstate", this.#moved(more("reinstate"))],
          ["redeem", new Map([...this.#moved(-coupons), ...this.#spent(coupons, parts, 1)])],
        ]);
      case moneyKinds.reverse:
        return new Map([["reverse", new Map([...this.#moved(more("reverse")), ...this.#spent(coupons, parts, -1)])]]);
      case moneyKinds.deactivate:
        return new Map([["deactivate", this.#moved(-more("deactivate"))]]);
      case moneyKinds.revoke:
        return new Map([["revoke", this.#moved(-this.#out)]]);
      default:
        return new Map();
    }
  }

  /** How many coupons its lines say that it moved besides: of several sayings that of most lines that agree with themselves. */
  #moreOf({ least, most }: EntryTold, lines: JournalLine[]): number {
    if (least === most) return least;
    const said = new Map<number, number>();
    for (const line of lines) {
      if (line.account === "cost" || line.account === "payable" || !this.#isWhole(line)) continue;
      said.set(line.coupons, (said.get(line.coupons) ?? 0) + 1);
    }
    const [likely] = [...said].toSorted(([, one], [, other]) => other - one)[0] ?? [least];
    return Math.min(most, Math.max(least, likely));
  }

  /** So many coupons come onto the books; below 0: go off them. */
  #moved(coupons: number): Wanted {
    const parts = this.#terms.greatestParts.map((part) => part * coupons);
    return this.#pair("commitment", Math.abs(coupons), parts, 1);
  }

  #spent(coupons: number, parts: readonly number[], sign: 1 | -1): Wanted {
    return this.#pair("cost", coupons, parts, sign);
  }

  #pair(debit: "commitment" | "cost", coupons: number, parts: readonly number[], sign: 1 | -1): Wanted {
    const wanted: Wanted = new Map();
    for (const [index, part] of parts.entries()) {
      if (part === 0) continue;
      const place = { account: debit, party: this.#terms.parties[index] as string, amount: sign * part, coupons };
      wanted.set(placeKey(place), place);
      wanted.set(placeKey(twinOf(place)), twinOf(place));
    }
    return wanted;
  }

  /**
   * Lines of which the log does not tell how many coupons they are for: what one side says the other must say, too. Of
   * two that differ that one is right which agrees with itself, and with the balances.
   */
  #compareSides(at: Omit<At, "atMs">, lines: JournalLine[]): void {
    // Lines that a correction has taken back are of neither side.
    const standing = [...summed(lines).values()].filter(({ amount, coupons }) => amount !== 0 || coupons !== 0);
    const sides = Map.groupBy(standing, ({ account }) => DEBITED.includes(account));
    const [left, right] = [sides.get(true) ?? [], sides.get(false) ?? []];
    const likely = this.#trust(at.event, left) >= this.#trust(at.event, right) ? left : right;
    const sure = likely.filter((place) => this.#isWhole(place));
    const wanted = new Map(sure.flatMap((place) => [place, twinOf(place)]).map((place) => [placeKey(place), place]));
    const repair = at.repair === "told" ? "inferred" : at.repair;
    this.#compare({ ...at, atMs: null, serial: null, repair }, lines, wanted);
  }

  #trust(event: PostingEvent, side: Place[]): number {
    if (side.length === 0) return 0;
    const whole = side.every((place) => this.#isWhole(place)) ? 2 : 0;
    return 1 + whole + (side.every((place) => this.#trusted.has(balanceKey({ ...place, event }))) ? 1 : 0);
  }

  /** Whether a line's amount is its party's part of so many coupons, where that can be said. */
  #isWhole({ account, party, amount, coupons }: Place): boolean {
    const part = this.#terms.greatestParts[this.#terms.parties.indexOf(party)];
    if (part === undefined || coupons < 0) return false;
    return account === "cost" || account === "payable" || Math.abs(amount) === part * coupons;
  }

  /** Each account of each party has what it must have. */
  #compare(at: At, found: JournalLine[], wanted: Wanted): void {
    for (const place of wanted.values()) this.#add(at.event, place);
    const places = Map.groupBy(found, placeKey);
    for (const key of new Set([...wanted.keys(), ...places.keys()])) {
      const must = wanted.get(key) ?? null;
      const lines = places.get(key) ?? [];
      const mend = mendOf(at, must, lines);
      if (mend.length === 0) continue;
      const { number, event, atMs, serial, repair } = at;
      this.#isInferred ||= repair === "inferred";
      this.#isUntold ||= repair === "none";
      const expected = must === null ? null : { number, event, atMs, ...must };
      const found = { lines: lines.length === 0 ? null : lines, ...(repair === "told" ? {} : { repair }) };
      this.#report({ kind: "posting", serial, expected, found, mend: repair === "none" ? null : mend });
    }
  }

  #add(event: PostingEvent, { account, party, amount, coupons }: Place): void {
    const key = balanceKey({ event, account, party });
    const sum = this.sums.get(key) ?? { event, account, party, amount: 0, coupons: 0 };
    this.sums.set(key, { ...sum, amount: sum.amount + amount, coupons: sum.coupons + coupons });
    const first = this.#terms.greatestParts.findIndex((part) => part > 0);
    if (account !== "liability" || party !== this.#terms.parties[first]) return;
    this.#out += amount > 0 ? -coupons : coupons;
  }
}

export function balanceKey({ event, account, party }: Pick<AccountBalance, "event" | "account" | "party">): string {
  return `${event} ${account} ${party}`;
}

function placeKey({ account, party }: Pick<Place, "account" | "party">): string {
  return `${account} ${party}`;
}

function twinOf({ account, party, amount, coupons }: Place): Place {
  return { account: TWIN[account], party, amount: -amount, coupons };
}

function summed(lines: JournalLine[]): Map<string, Place> {
  const sums = new Map<string, Place>();
  for (const { account, party, amount, coupons } of lines) {
    const key = placeKey({ account, party });
    const sum = sums.get(key) ?? { account, party, amount: 0, coupons: 0 };
    sums.set(key, { account, party, amount: sum.amount + amount, coupons: sum.coupons + coupons });
  }
  return sums;
}

/** What would have to be posted; nothing where the lines are as they must be. */
function mendOf({ number, event, atMs }: At, must: Place | null, lines: JournalLine[]): ExpectedLine[] {
  const [first] = lines;
  const { account, party } = must ?? (first as JournalLine);
  const line = (amount: number, coupons: number, at: number | null) => ({
    ...{ number, event, account, party, amount, coupons, atMs: at },
  });
  const isCorrected = lines.some(({ corrected }) => corrected);
  const isOnce = lines.length === 1 && !isCorrected;
  const mend: ExpectedLine[] = [];
  // An entry's own line is of its time; what a correction has posted is of its own.
  if (isOnce && atMs !== null && first !== undefined && first.atMs !== atMs) {
    mend.push(line(-first.amount, -first.coupons, first.atMs), line(first.amount, first.coupons, atMs));
  }
  const sum = summed(lines).values().next().value ?? { amount: 0, coupons: 0 };
  const [amount, coupons] = [(must?.amount ?? 0) - sum.amount, (must?.coupons ?? 0) - sum.coupons];
  if (amount !== 0 || coupons !== 0) mend.push(line(amount, coupons, null));
  return mend;
}
