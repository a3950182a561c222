import type { BatchTerms } from "@coupon/database";
import {
  type BatchDefinition,
  type FundingShare,
  FundingSplit,
  greatestDiscount,
  PLATFORM_FUNDING,
} from "@coupon/domain";

/** A batch's terms, ready to post by. */
export interface PostingTerms {
  terms: BatchTerms;
  parties: readonly string[];
  /** The parts of one coupon's greatest discount. */
  greatestParts: readonly number[];
  /** The parts of an amount, in the order of the parties. */
  split(amount: number): readonly number[];
}

/** Where the terms of batches are found. */
export interface TermsSource {
  of(batch: number): PostingTerms | undefined;
  /** Those among the batches whose terms PostgreSQL is not known to have. */
  unstored(batches: Iterable<number>): BatchTerms[];
  /** PostgreSQL has these. */
  stored(terms: readonly BatchTerms[]): void;
}

/** Splits of so many different fundings are kept ready; one takes up to 400 kB, most take a few bytes. */
const SPLITS_MAX = 64;

/**
 * The terms of every batch that was ever published: frozen, so the first that is heard of a batch stands, and what
 * PostgreSQL has stands before what is published.
 */
export class TermsBook implements TermsSource {
  readonly #terms = new Map<number, PostingTerms>();
  readonly #stored = new Set<number>();
  readonly #splits = new Map<string, FundingSplit>();
  readonly #onNew: () => void;

  /** @param onNew called when a batch's terms have become known */
  constructor(onNew: () => void = () => {}) {
    this.#onNew = onNew;
  }

  /** Takes in what PostgreSQL has. */
  load(terms: readonly BatchTerms[]): void {
    for (const each of terms) this.#terms.set(each.batch, this.#ready(each));
    this.stored(terms);
  }

  /** Takes in a published batch. False where it says something else than is known: then what is known stands. */
  put(definition: BatchDefinition): boolean {
    const terms = termsOf(definition);
    const known = this.#terms.get(terms.batch);
    if (known !== undefined) return same(known.terms, terms);
    this.#terms.set(terms.batch, this.#ready(terms));
    this.#onNew();
    return true;
  }

  of(batch: number): PostingTerms | undefined {
    return this.#terms.get(batch);
  }

  unstored(batches: Iterable<number>): BatchTerms[] {
    const terms: BatchTerms[] = [];
    for (const batch of batches) {
      const known = this.#stored.has(batch) ? undefined : this.#terms.get(batch);
      if (known !== undefined) terms.push(known.terms);
    }
    return terms;
  }

  stored(terms: readonly BatchTerms[]): void {
    for (const { batch } of terms) this.#stored.add(batch);
  }

  #ready(terms: BatchTerms): PostingTerms {
    const shares = terms.funding.map(({ basisPoints }) => basisPoints);
    const split = (amount: number) => this.#splitOf(shares).split(amount);
    return {
      terms,
      parties: terms.funding.map(({ party }) => party),
      greatestParts: split(terms.greatestDiscount),
      split,
    };
  }

  #splitOf(shares: readonly number[]): FundingSplit {
    const shape = shares.join();
    const split = this.#splits.get(shape) ?? new FundingSplit(shares);
    this.#splits.delete(shape);
    this.#splits.set(shape, split);
    if (this.#splits.size > SPLITS_MAX) {
      for (const oldest of this.#splits.keys()) {
        this.#splits.delete(oldest);
        break;
      }
    }
    return split;
  }
}

/** What a published batch says of money. */
export function termsOf(definition: BatchDefinition): BatchTerms {
  const { batchNumber: batch, batchId, campaignId, template, funding } = definition;
  const shares: readonly FundingShare[] = funding.length === 0 ? PLATFORM_FUNDING : funding;
  return {
    ...{ batch, batchId, campaignId, currency: template.benefit.currency },
    greatestDiscount: greatestDiscount(template),
    funding: shares.map(({ party, basisPoints }) => ({ party, basisPoints })),
    validity: template.validity,
    timeZone: template.timeZone,
  };
}

function same(a: BatchTerms, b: BatchTerms): boolean {
  const money = (terms: BatchTerms) => JSON.stringify([terms.greatestDiscount, terms.currency, terms.campaignId]);
  const funding = (terms: BatchTerms) => JSON.stringify(terms.funding.map((share) => [share.party, share.basisPoints]));
  return money(a) === money(b) && funding(a) === funding(b);
}
