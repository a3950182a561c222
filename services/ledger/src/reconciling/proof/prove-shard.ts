import type { ShardRow } from "@coupon/database";
import type { FullHeader } from "@coupon/redis";
import { type CounterDrift, compareBooks, compareHeader } from "../compare-counts.ts";
import { leftOf } from "../shard-count.ts";
import type { ShardTally } from "./shard-tally.ts";

/** What the last rounds made of a shard. */
export interface ShardProof {
  batch: number;
  shard: number;
  partition: number;
  /** `waiting`: the three can't be brought to one entry now, e.g. while the shard is recovering. */
  state: "proven" | "waiting" | "drifting";
  /** When all three were last found equal, in milliseconds since the Unix epoch; 0 for never. */
  provenAtMs: number;
  /** The entry up to which they were. */
  number: number;
  /** Of the shard at that entry. `inTransfer` is what it has given away less what it has been given. */
  given: number;
  issued: number;
  left: number;
  drifts: CounterDrift[];
  /** What the last round found, to be told again before it counts. */
  suspicion: string | null;
  /** A header that was ahead of what the log had told by then. */
  ahead: FullHeader | null;
  /** Rounds in a row in which the ledger's row was ahead of the tally. */
  missed: number;
}

export function newProof({ batch, shard, partition }: ShardRow): ShardProof {
  return {
    ...{ batch, shard, partition, state: "waiting", provenAtMs: 0, number: 0, given: 0, issued: 0, left: 0 },
    ...{ drifts: [], suspicion: null, ahead: null, missed: 0 },
  };
}

/** Rounds after which a tally that does not know the ledger's row is taken for lost. */
const MISSED_MAX = 2;

/**
 * One round of a shard: the ledger's row is compared with the log at the row's entry, the header in Redis with the log
 * at the header's entry. Both entries are on one chain of hashes, so that the three agree on everything in between.
 * What differs counts when two rounds in a row say the same.
 */
export function proveShard(
  proof: ShardProof,
  tally: ShardTally,
  read: { books: ShardRow; header: FullHeader | null },
  nowMs: number,
): void {
  const { books } = read;
  const misnumbered = numberDrift(tally, books, read.header);
  if (misnumbered !== null) {
    judge(proof, [misnumbered], nowMs, false);
    return;
  }
  tally.anchorAt(books);
  const count = tally.at(books.number);
  if (count === null) {
    missed(proof, tally, books);
    return;
  }
  proof.missed = 0;
  const header = comparable(proof, tally, read.header);
  const inHeader = header === null ? null : tally.at(header.number);
  if (header === null || inHeader === null) {
    judge(proof, compareBooks(count, books), nowMs, false);
    if (read.header === null) tally.forget(books.number);
    return;
  }
  judge(proof, [...compareBooks(count, books), ...compareHeader(inHeader, header)], nowMs, true);
  const number = Math.min(books.number, header.number);
  if (proof.state === "proven") {
    const { debited, credited } = inHeader;
    Object.assign(proof, { number, given: (inHeader.rules?.allotment ?? 0) + credited - debited });
    Object.assign(proof, { issued: inHeader.issued, left: leftOf(inHeader) });
  }
  tally.forget(number);
}

/**
 * The ledger's row says a number that can't be its entry's: Redis has another for the same hash; or, where the log is known,
 * the row has gone back behind what was proven, or is beyond an entry that both the log and Redis have as the last.
 */
function numberDrift(tally: ShardTally, books: ShardRow, header: FullHeader | null): CounterDrift | null {
  const drift = (expected: number): CounterDrift => ({
    ...{ store: "postgresql", counter: "number", expected, found: books.number },
  });
  if (header !== null && header.hash !== "" && header.hash === books.hash && header.number !== books.number) {
    return drift(header.number);
  }
  if (!tally.anchored) return null;
  if (books.number < tally.first) return drift(tally.last);
  const isBeyond = books.number > tally.last && header !== null && header.number === tally.last;
  return isBeyond && tally.at(tally.last)?.hash === header.hash ? drift(tally.last) : null;
}

/** The ledger has no row any more of a shard that it applies. */
export function proveMissing(proof: ShardProof, nowMs: number): void {
  const { number } = proof;
  judge(proof, [{ store: "postgresql", counter: "row", expected: `of entry ${number}`, found: null }], nowMs, false);
}

/** The header to compare now: the one that waited, when the log has got there, else the one just read. */
function comparable(proof: ShardProof, tally: ShardTally, header: FullHeader | null): FullHeader | null {
  const { ahead } = proof;
  if (header !== null && header.number <= tally.last) {
    proof.ahead = null;
    return header;
  }
  if (ahead !== null && ahead.number <= tally.last) {
    proof.ahead = header;
    return ahead;
  }
  proof.ahead ??= header;
  return null;
}

function missed(proof: ShardProof, tally: ShardTally, books: ShardRow): void {
  proof.missed += 1;
  proof.state = proof.state === "drifting" ? "drifting" : "waiting";
  if (proof.missed < MISSED_MAX) return;
  tally.reset();
  tally.anchorAt(books);
  proof.missed = 0;
}

function judge(proof: ShardProof, drifts: CounterDrift[], nowMs: number, whole: boolean): void {
  if (drifts.length === 0) {
    proof.suspicion = null;
    // Half a comparison proves nothing, and clears nothing.
    if (!whole) {
      proof.state = proof.state === "drifting" ? "drifting" : "waiting";
      return;
    }
    Object.assign(proof, { state: "proven", drifts: [], provenAtMs: nowMs });
    return;
  }
  const suspicion = drifts.map(nameOf).join("\n");
  if (suspicion === proof.suspicion || proof.state === "drifting") Object.assign(proof, { state: "drifting", drifts });
  else if (proof.state === "proven") proof.state = "waiting";
  proof.suspicion = suspicion;
}

/** Names a drift alike in every round, however the counter itself goes on. */
function nameOf({ store, counter, expected, found }: CounterDrift): string {
  const by = typeof expected === "number" && typeof found === "number" ? found - expected : "other";
  return `${store} ${counter} ${by}`;
}
