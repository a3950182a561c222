import type { BatchTransfers, ShardRow } from "@coupon/database";
import type { BatchDefinition } from "@coupon/domain";

/** What a batch's shards have of its stock, together. */
export interface BatchStock {
  batch: number;
  given: number;
  issued: number;
  left: number;
  /** Debited and not credited yet. */
  inTransfer: number;
  /** What does not add up; null where all does, or can't be said. */
  drift: string | null;
}

/**
 * Adds up the stock of batches over their shards: given = issued + left + in transfer, where the transfers are counted
 * from their own rows and must be what the shards' totals say; and given is the batch's stock, where the same version
 * of the rules is in force in all of its shards.
 */
export function proveBatches(
  books: ShardRow[],
  transfers: BatchTransfers[],
  definitionOf: (batch: number) => BatchDefinition | undefined,
): BatchStock[] {
  const moved = new Map(transfers.map((each) => [each.batch, each]));
  return [...Map.groupBy(books, ({ batch }) => batch)].map(([batch, shards]) => {
    const given = sum(shards, ({ rules }) => rules?.allotment ?? 0);
    const issued = sum(shards, (shard) => shard.issued);
    const between = sum(shards, ({ debited, credited }) => debited - credited);
    const stock = { batch, given, issued, left: given - issued - between };
    const definition = definitionOf(batch);
    // Shards that have no entry yet, or none that is applied.
    const isWhole = definition !== undefined && shards.length === definition.shards;
    const inTransfer = isWhole ? (moved.get(batch)?.inTransfer ?? 0) : 0;
    const drift = isWhole ? driftOf(stock, shards, definition, moved.get(batch)) : null;
    return { ...stock, inTransfer, drift };
  });
}

function driftOf(
  { given }: { given: number },
  shards: ShardRow[],
  definition: BatchDefinition,
  moved: BatchTransfers | undefined,
): string | null {
  const sameRules = shards.every(({ rules }) => rules?.version === definition.version);
  if (sameRules && given !== definition.stock.total) {
    return `the shards were given ${given} of a stock of ${definition.stock.total}`;
  }
  if (moved === undefined) return null;
  if (moved.unequal > 0) return `${moved.unequal} transfers were credited with another amount than debited`;
  const { debited, credited, inTransfer, creditedAhead } = moved;
  const off = debited - credited - (inTransfer - creditedAhead);
  return off === 0 ? null : `what the shards debited and credited differs by ${off} from the transfers on record`;
}

function sum(shards: ShardRow[], of: (shard: ShardRow) => number): number {
  return shards.reduce((total, shard) => total + of(shard), 0);
}
