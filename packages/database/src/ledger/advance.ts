import type { PositionAdvance, ShardAdvance } from "./rows.ts";

/** A prepared statement: parsed and planned once a connection. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

// Rows are locked in the order of their partitions, so that two ledgers can't wait for each other.
const text = `
WITH wanted AS (
  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[])
    AS w (partition, "from", "to", epoch)
), locked AS MATERIALIZED (
  SELECT p.partition FROM ledger.partition_position p
  WHERE p.partition = ANY ($1::smallint[]) ORDER BY p.partition FOR UPDATE
), advanced AS (
  UPDATE ledger.partition_position p SET position = w."to", epoch = w.epoch
  FROM wanted w, locked l
  WHERE l.partition = w.partition AND p.partition = w.partition AND p.position = w."from"
  RETURNING p.partition
), stepped AS (
  INSERT INTO ledger.shard AS s (batch, shard, partition, number, hash, at_ms, issued, day_start_ms, day_issued, debited,
    credited, redemptions, reversals, restored, deactivated, discounted, discount_reversed, rules)
  SELECT batch, shard, partition, number, decode(hash, 'hex'), at_ms, issued, day_start_ms, day_issued, debited,
    credited, redemptions, reversals, restored, deactivated, discounted, discount_reversed, rules::jsonb
  FROM unnest($5::integer[], $6::smallint[], $7::smallint[], $8::bigint[], $9::text[], $10::bigint[],
    $11::integer[], $12::bigint[], $13::integer[], $14::integer[], $15::integer[], $16::integer[],
    $17::integer[], $18::integer[], $19::integer[], $20::bigint[], $21::bigint[], $22::text[])
    AS a (batch, shard, partition, number, hash, at_ms, issued, day_start_ms, day_issued, debited,
      credited, redemptions, reversals, restored, deactivated, discounted, discount_reversed, rules)
  ON CONFLICT (batch, shard) DO UPDATE SET
    number = excluded.number,
    hash = excluded.hash,
    at_ms = excluded.at_ms,
    issued = s.issued + excluded.issued,
    day_issued = CASE WHEN excluded.day_start_ms IN (0, s.day_start_ms) THEN s.day_issued ELSE 0 END
      + excluded.day_issued,
    day_start_ms = CASE excluded.day_start_ms WHEN 0 THEN s.day_start_ms ELSE excluded.day_start_ms END,
    debited = s.debited + excluded.debited,
    credited = s.credited + excluded.credited,
    redemptions = s.redemptions + excluded.redemptions,
    reversals = s.reversals + excluded.reversals,
    restored = s.restored + excluded.restored,
    deactivated = s.deactivated + excluded.deactivated,
    discounted = s.discounted + excluded.discounted,
    discount_reversed = s.discount_reversed + excluded.discount_reversed,
    rules = coalesce(excluded.rules, s.rules)
)
SELECT partition FROM advanced`;

/** Moves the positions by compare-and-set and steps the shards; answers the partitions that moved. */
export function advanceStatement(positions: PositionAdvance[], shards: ShardAdvance[]): Statement {
  return {
    name: "ledger-advance",
    text,
    values: [
      positions.map((each) => each.partition),
      positions.map((each) => each.from),
      positions.map((each) => each.to),
      positions.map((each) => each.epoch),
      shards.map((each) => each.batch),
      shards.map((each) => each.shard),
      shards.map((each) => each.partition),
      shards.map((each) => each.number),
      shards.map((each) => each.hash),
      shards.map((each) => each.atMs),
      shards.map((each) => each.issued),
      shards.map((each) => each.day?.startMs ?? 0),
      shards.map((each) => each.day?.issued ?? 0),
      shards.map((each) => each.debited),
      shards.map((each) => each.credited),
      shards.map((each) => each.redemptions),
      shards.map((each) => each.reversals),
      shards.map((each) => each.restored),
      shards.map((each) => each.deactivated),
      shards.map((each) => each.discounted),
      shards.map((each) => each.discountReversed),
      shards.map((each) => each.rules),
    ],
  };
}
