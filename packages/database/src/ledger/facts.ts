import type { Connection } from "../pool.ts";
import type { Statement } from "./advance.ts";
import { holdsEndedOfShard, splitAlike, stateOfShard } from "./alike.ts";
import { type Column, from, into } from "./bulk.ts";
import { copyInto } from "./copy-into.ts";
import { encodeRedemptions, redemptionColumns } from "./redemption-copy.ts";
import type {
  CorrectionRow,
  CouponKey,
  DeactivationRow,
  FactRows,
  HoldRow,
  OrderFact,
  ReleaseRow,
  ReversalRow,
  RulesRow,
  TransferRow,
} from "./rows.ts";

const ofCoupon: Column<CouponKey>[] = [
  ["batch", "integer", (row) => row.batch],
  ["shard", "smallint", (row) => row.shard],
  ["serial", "integer", (row) => row.serial],
];
const ofOrder: Column<OrderFact>[] = [
  ...ofCoupon,
  ["caller_id", "text", (row) => row.callerId],
  ["order_id", "text", (row) => row.orderId],
];

const holdColumns: Column<HoldRow>[] = [
  ...ofOrder,
  ["payload", "text", (row) => row.payload],
  ["locked_at_ms", "bigint", (row) => row.lockedAtMs],
  ["until_ms", "bigint", (row) => row.untilMs],
  ["discount", "jsonb", (row) => JSON.stringify(row.discount)],
];

const reversalColumns: Column<ReversalRow>[] = [
  ...ofOrder,
  ["number", "bigint", (row) => row.number],
  ["reversal_id", "text", (row) => row.reversalId],
  ["key_hash", "text", (row) => row.keyHash],
  ["payload", "text", (row) => row.payload],
  ["reason", "text", (row) => row.reason],
  ["reversed_at_ms", "bigint", (row) => row.reversedAtMs],
  ["discount", "bigint", (row) => row.reversed.discount],
  ["remaining", "bigint", (row) => row.remaining],
  ["currency", "text", (row) => row.reversed.currency],
  ["lines", "jsonb", (row) => JSON.stringify(row.reversed.lines)],
  ["restored", "boolean", (row) => row.restored],
];

const releaseColumns: Column<ReleaseRow>[] = [
  ...ofOrder,
  ["number", "bigint", (row) => row.number],
  ["released_at_ms", "bigint", (row) => row.releasedAtMs],
  ["held", "boolean", (row) => row.held],
];

const deactivationColumns: Column<DeactivationRow>[] = [
  ...ofCoupon,
  ["number", "bigint", (row) => row.number],
  ["reason", "text", (row) => row.reason],
  ["deactivated_at_ms", "bigint", (row) => row.deactivatedAtMs],
];

const rulesColumns: Column<RulesRow>[] = [
  ["batch", "integer", (row) => row.batch],
  ["shard", "smallint", (row) => row.shard],
  ["number", "bigint", (row) => row.number],
  ["at_ms", "bigint", (row) => row.atMs],
  ["version", "bigint", (row) => row.version],
  ["rules", "jsonb", (row) => row.rules],
];

const transferColumns: Column<TransferRow>[] = [
  ["batch", "integer", (row) => row.batch],
  ["shard", "smallint", (row) => row.shard],
  ["number", "bigint", (row) => row.number],
  ["kind", "text", (row) => row.kind],
  ["peer", "smallint", (row) => row.peer],
  ["transfer", "integer", (row) => row.transfer],
  ["amount", "integer", (row) => row.amount],
  ["at_ms", "bigint", (row) => row.atMs],
];

// An array can't be an element of an array in `unnest`, so lists travel as texts.
const correctionColumns: Column<CorrectionRow>[] = [
  ["batch", "integer", (row) => row.batch],
  ["shard", "smallint", (row) => row.shard],
  ["number", "bigint", (row) => row.number],
  ["correction_id", "text", (row) => row.correctionId],
  ["stores", "text", (row) => `{${row.stores.join(",")}}`],
  ["serials", "text", (row) => `{${row.serials.join(",")}}`],
  ["reason", "text", (row) => row.reason],
  ["proposed_by", "text", (row) => row.proposedBy],
  ["approved_by", "text", (row) => row.approvedBy],
  ["corrected_at_ms", "bigint", (row) => row.atMs],
];

const couponOf = (table: string): string =>
  `${table}.batch = u.batch AND ${table}.shard = u.shard AND ${table}.serial = u.serial`;

const holdTaken = `ON CONFLICT (batch, shard, serial) DO UPDATE SET caller_id = excluded.caller_id,
  order_id = excluded.order_id, payload = excluded.payload, locked_at_ms = excluded.locked_at_ms,
  until_ms = excluded.until_ms, discount = excluded.discount`;

const bulk = {
  states: from(
    [...ofCoupon, ["state", "smallint", (row) => row.state]] as Column<FactRows["states"][number]>[],
    (u) => ({
      name: "ledger-states",
      text: `UPDATE ledger.coupon c SET state = CASE WHEN u.state < 0 THEN greatest(c.state, 1) ELSE u.state END FROM ${u} WHERE ${couponOf("c")}`,
    }),
  ),
  holds: into("hold", holdColumns, holdTaken),
  holdsEnded: from(ofCoupon, (u) => ({
    name: "ledger-holds-ended",
    text: `DELETE FROM ledger.hold h USING ${u} WHERE ${couponOf("h")}`,
  })),
  reversals: into("reversal", reversalColumns),
  releases: into("release", releaseColumns),
  deactivations: into("deactivation", deactivationColumns),
  rules: into("rules_history", rulesColumns),
  transfers: into("transfer", transferColumns),
  corrections: from(correctionColumns, (u) => ({
    name: "ledger-correction",
    text: `INSERT INTO ledger.correction (${correctionColumns.map(([name]) => name).join(", ")})
      SELECT batch, shard, number, correction_id, stores::text[], serials::integer[], reason, proposed_by, approved_by,
        corrected_at_ms FROM ${u}`,
  })),
};

/**
 * Writes what several entries do to coupons that are there already.
 *
 * @throws any error of the driver
 */
export async function writeFacts(connection: Connection, facts: FactRows): Promise<void> {
  for (const statement of factStatements(facts)) await connection.query(statement);
  if (facts.redemptions.length > 0) {
    await copyInto(connection, `ledger.redemption (${redemptionColumns})`, encodeRedemptions(facts.redemptions));
  }
}

/** Statements for the rows that there are, none for what there is nothing of. */
function factStatements(facts: FactRows): Statement[] {
  const states = splitAlike(facts.states, ({ state }) => state);
  const ended = splitAlike(facts.holdsEnded, () => 0);
  return [
    ...states.alike.map(stateOfShard),
    bulk.states(states.others),
    bulk.holds(facts.holds),
    ...ended.alike.map(holdsEndedOfShard),
    bulk.holdsEnded(ended.others),
    bulk.reversals(facts.reversals),
    bulk.releases(facts.releases),
    bulk.deactivations(facts.deactivations),
    bulk.rules(facts.rules),
    bulk.transfers(facts.transfers),
    bulk.corrections(facts.corrections),
  ].filter((statement) => statement !== null);
}
