import type { AuditSnapshot, ShardRow, StrayRows } from "@coupon/database";
import { type BatchDefinition, partitionOf, shardKey } from "@coupon/domain";
import type { Finding } from "./finding.ts";

type Place = Pick<ShardRow, "batch" | "shard" | "partition">;
type Wants = (batch: number, shard: number) => boolean;

export interface PlacesResources {
  partitions: number;
  /** Rows of shards that have no row. */
  strays: StrayRows[];
  /** The batch that is wanted; null: all. */
  batch: number | null;
  definitionOf: (batch: number) => BatchDefinition | undefined;
}

/** Whether a shard is said to be of another partition than the one that has its entries. */
export function isMisplaced({ batch, shard, partition }: Place, partitions: number): boolean {
  return partition !== partitionOf(batch, shard, partitions);
}

/** Which shards of a partition there must be rows of. */
export class ShardPlaces {
  /** Whether the log must be walked over to know, even where there is no row. */
  readonly mayLackRows: boolean;
  readonly #partition: number;
  readonly #wants: Wants;
  readonly #strays: StrayRows[];
  readonly #rows: ReadonlySet<string>;
  readonly #misplaced: Place[];

  constructor(
    { partitions, strays, batch, definitionOf }: PlacesResources,
    snapshot: Pick<AuditSnapshot, "partition" | "position" | "places">,
    wants: Wants,
  ) {
    const isHere = ({ batch, shard }: Omit<Place, "partition">) =>
      wants(batch, shard) && partitionOf(batch, shard, partitions) === snapshot.partition;
    this.#partition = snapshot.partition;
    this.#wants = wants;
    this.#strays = strays.filter(isHere);
    this.#misplaced = snapshot.places.filter((each) => isHere(each) && isMisplaced(each, partitions));
    this.#rows = new Set(snapshot.places.map((each) => shardKey(each.batch, each.shard)));
    const shards = batch === null ? undefined : definitionOf(batch)?.shards;
    const mayBeHere =
      batch === null ||
      shards === undefined ||
      Array.from({ length: shards }, (_, shard) => ({ batch, shard })).some((each) => isHere(each));
    this.mayLackRows = this.#strays.length > 0 || (snapshot.position > 0 && mayBeHere);
  }

  tellMisplaced(found: (finding: Finding) => void): void {
    for (const { batch, shard, partition } of this.#misplaced) {
      found({
        ...{ batch, shard, serial: null, store: "postgresql", kind: "shard", number: 0 },
        ...{ expected: { partition: this.#partition }, found: { partition } },
      });
    }
  }

  /** @param numbers the last entry that the log has of each shard of the partition */
  tellMissing(numbers: ReadonlyMap<string, number>, found: (finding: Finding) => void): void {
    const strays = new Map(this.#strays.map((each) => [shardKey(each.batch, each.shard), each]));
    for (const [key, number] of numbers) {
      const [batch, shard] = key.split(".").map(Number) as [number, number];
      if (number < 1 || this.#rows.has(key) || !this.#wants(batch, shard)) continue;
      found({
        ...{ batch, shard, serial: null, store: "postgresql", kind: "counter", number },
        ...{ expected: { row: { number } }, found: { row: null, tables: strays.get(key)?.tables ?? [] } },
      });
    }
    for (const [key, { batch, shard, tables }] of strays) {
      if (numbers.has(key)) continue;
      found({
        ...{ batch, shard, serial: null, store: "postgresql", kind: "shard", number: 0 },
        ...{ expected: null, found: { tables } },
      });
    }
  }
}
