/** What one store has of a batch. */
export interface BatchCounts {
  issued: number;
  /** Coupons that were redeemed at least once. */
  redeemed: number;
}

/** Counts by batch number. */
export type Counts = ReadonlyMap<number, BatchCounts>;

/** Adds up the counts of some batches; one that the store doesn't know counts as nothing. */
export function sumCounts(counts: Counts, batchNumbers: Iterable<number>): BatchCounts {
  const sum: BatchCounts = { issued: 0, redeemed: 0 };
  for (const batchNumber of batchNumbers) {
    const batch = counts.get(batchNumber);
    sum.issued += batch?.issued ?? 0;
    sum.redeemed += batch?.redeemed ?? 0;
  }
  return sum;
}
