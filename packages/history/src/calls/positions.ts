import type { Findings } from "../findings.ts";
import type { OperationBase, Position } from "../history.ts";
import { type At, placeOf, type ShardBook } from "../log/books.ts";

/** An answer's position covers the entry that it rests on, or it was given before that was known to be durable. */
export function checkPosition(
  { operation, positions }: { operation: OperationBase; positions: readonly Position[] },
  fact: At,
  name: string,
  findings: Findings,
): void {
  const covered = positions.some(
    ({ partition, offset }) => partition === fact.shard.partition && offset >= fact.offset,
  );
  if (covered) return;
  const said = positions.map(({ partition, offset }) => `${partition}:${offset}`).join(", ") || "none";
  const detail = `${name} was acknowledged at position ${said}, before its entry at ${fact.shard.partition}:${fact.offset}`;
  findings.add("answered_early", detail, [operation.id], [placeOf(fact)]);
}

interface Answered {
  calledMs: number;
  returnedMs: number;
  offset: number;
  id: number;
}

/**
 * What a shard answers never goes back: once an answer at an offset has been received, whatever is asked
 * afterwards is answered at that offset or later. An owner that answers from an older state is seen here.
 */
export class Positions {
  readonly #byShard = new Map<ShardBook, Answered[]>();

  add(shard: ShardBook, { id, calledAtMs, returnedAtMs, answer }: OperationBase): void {
    const offset = answer?.positions.find(({ partition }) => partition === shard.partition)?.offset;
    if (offset === undefined || returnedAtMs === null) return;
    const answered = { calledMs: calledAtMs, returnedMs: returnedAtMs, offset, id };
    const list = this.#byShard.get(shard);
    if (list === undefined) this.#byShard.set(shard, [answered]);
    else list.push(answered);
  }

  finish(findings: Findings): void {
    for (const [shard, list] of this.#byShard) checkOrder(shard, list, findings);
  }
}

function checkOrder(shard: ShardBook, list: Answered[], findings: Findings): void {
  const called = list.toSorted((a, b) => a.calledMs - b.calledMs);
  const returned = list.toSorted((a, b) => a.returnedMs - b.returnedMs);
  let known: Answered | null = null;
  let next = 0;
  for (const one of called) {
    for (; (returned[next]?.returnedMs ?? Number.POSITIVE_INFINITY) < one.calledMs; next += 1) {
      const earlier = returned[next] as Answered;
      if (known === null || earlier.offset > known.offset) known = earlier;
    }
    if (known === null || one.offset >= known.offset) continue;
    const detail = `shard ${shard.batch.number}.${shard.shard} answered at offset ${one.offset} after it had at ${known.offset}`;
    findings.add("stale", detail, [known.id, one.id]);
  }
}
