import { hash } from "node:crypto";
import type { Discount, IssueItem } from "@coupon/domain";

/**
 * Texts that say the same of a coupon in every store, and their prints: the first 64 bits of their SHA-1. A difference
 * of one character is overlooked once in 2^64.
 */

/** Combines the print of a text into the pair of words at `index`: what is put in twice is gone again. */
export function mark(words: Uint32Array, index: number, text: string): void {
  const digest = hash("sha1", text, "latin1");
  words[2 * index] = (words[2 * index] as number) ^ uint32At(digest, 0);
  words[2 * index + 1] = (words[2 * index + 1] as number) ^ uint32At(digest, 4);
}

/** The print of a text in place of what is at `index`; of none where it is null. */
export function setMark(words: Uint32Array, index: number, text: string | null): void {
  words[2 * index] = 0;
  words[2 * index + 1] = 0;
  if (text !== null) mark(words, index, text);
}

function uint32At(digest: string, at: number): number {
  return (
    (digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)
  );
}

/** As a row of `ledger.coupon` reads in an audit's snapshot. */
export function issueText(item: IssueItem, atMs: number): string {
  return `${item[3]}\t${atMs}\t${item[4]}\t${item[1]}\t${item[2]}`;
}

export function discountText({ discount, currency, lines }: Discount): string {
  let text = `${discount} ${currency}`;
  for (const line of lines) text += ` ${line.lineId}:${line.quantity}:${line.discount}`;
  return text;
}

export interface HoldFact {
  /** callerId + "/" + orderId, here and below. */
  order: string;
  payload: string;
  untilMs: number;
  discount: Discount;
}

export interface RedemptionFact {
  order: string;
  payload: string;
  redeemedAtMs: number;
  discount: Discount;
}

export interface ReversalFact {
  order: string;
  keyHash: string;
  payload: string;
  reversalId: string;
  reversedAtMs: number;
  remaining: number;
  restored: boolean;
  reversed: Discount;
}

export const holdText = (fact: HoldFact): string =>
  `o\t${fact.order}\t${fact.payload}\t${fact.untilMs}\t${discountText(fact.discount)}`;

export const redemptionText = (fact: RedemptionFact): string =>
  `h\t${fact.order}\t${fact.payload}\t${fact.redeemedAtMs}\t${discountText(fact.discount)}`;

export const reversalText = (fact: ReversalFact): string =>
  `v\t${fact.order}\t${fact.keyHash}\t${fact.payload}\t${fact.reversalId}\t${fact.reversedAtMs}\t${fact.remaining}` +
  `\t${fact.restored}\t${discountText(fact.reversed)}`;

export const releaseText = (number: number, order: string, atMs: number, held: boolean): string =>
  `x\t${number}\t${order}\t${atMs}\t${held}`;

export const deactivationText = (number: number, reason: string, atMs: number): string =>
  `d\t${number}\t${atMs}\t${reason}`;

/** A fact as PostgreSQL has it, with what only its rows carry. */
export const rowText = (fact: string, ...more: (string | number)[]): string => `${fact}\t${more.join("\t")}`;
