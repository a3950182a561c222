import type { Check, Constants, Specification } from "./check.ts";

const PROMISES = ["AnswersFollow", "NoOversell", "OneOutcome", "LedgerGoesOn"];
const RECOVERY: Specification = {
  module: "Recovery",
  invariants: [...PROMISES, "MarkerCloses"],
  sets: { Processes: ["p1", "p2"], Keys: ["k1", "k2"] },
};
const THREE_KEYS: Specification = { ...RECOVERY, sets: { Processes: ["p1", "p2"], Keys: ["k1", "k2", "k3"] } };
const LEDGER: Specification = { module: "Ledger", invariants: ["ExactlyOnce"], sets: { Ledgers: ["l1", "l2"] } };
const TRANSFER: Specification = { module: "StockTransfer", invariants: ["NoOversell", "NoneStranded"], sets: {} };

/** One coupon, two keys, three openings, one fault of Redis of any kind. */
const RECOVERY_BASE: Constants = {
  Stock: 1,
  OpeningsMax: 3,
  FaultsMax: 1,
  Faults: ["wipe", "truncate", "failover"],
  ConnectBack: false,
  SentTwice: false,
  DatabaseAway: false,
  LoadSteps: 0,
  Draining: false,
  Disturbed: true,
};
/** Two entries of one shard can be under way at a time. */
const TWO_COUPONS: Constants = { Stock: 2, OpeningsMax: 2, Draining: true };
const LOADS: Constants = { LoadSteps: 2 };
const LEDGER_BASE: Constants = { LengthMax: 4 };
const TRANSFER_BASE: Constants = { Stock: 3, TransfersMax: 3 };

function whole(name: string, specification: Specification, constants: Constants): Check {
  return { name, specification, constants, off: [], breaks: null };
}

/** The protocol as it is: every state within the bounds is looked at, and everything holds in each. */
export const PROTOCOL: readonly Check[] = [
  whole("recovery", RECOVERY, RECOVERY_BASE),
  whole("recovery, PostgreSQL away", RECOVERY, { ...RECOVERY_BASE, DatabaseAway: true }),
  whole("recovery, scripts run on two servers", RECOVERY, { ...RECOVERY_BASE, ConnectBack: true, SentTwice: true }),
  whole("recovery, loads in steps", RECOVERY, { ...RECOVERY_BASE, ...LOADS }),
  whole("recovery, partitions given up", RECOVERY, { ...RECOVERY_BASE, ...TWO_COUPONS }),
  whole("ledger", LEDGER, LEDGER_BASE),
  whole("stock transfer", TRANSFER, TRANSFER_BASE),
];

/**
 * Second lines: two of them have a counter-example together with `script_hash` (see WITHOUT_ONE_GUARD), the others end
 * early what would come to nothing all the same.
 */
const SECOND_LINES = [
  ...["script_epoch", "open_hash"],
  ...["open_epoch", "redo_epoch", "later_owner", "outbox_whole", "durable_within"],
];
const withoutSecondLines = (name: string, constants: Constants): Check => ({
  ...whole(name, RECOVERY, { ...RECOVERY_BASE, ...constants }),
  off: SECOND_LINES,
});

/** Guards that others stand behind, all of them taken out at once: still everything holds in every state. */
export const HELD_BY_OTHERS: readonly Check[] = [withoutSecondLines("recovery, no second lines", LOADS)];

/** The same with wider bounds: minutes instead of seconds. */
export const PROTOCOL_WIDE: readonly Check[] = [
  whole("recovery, connections go back", RECOVERY, { ...RECOVERY_BASE, ConnectBack: true }),
  whole("recovery, two faults", RECOVERY, { ...RECOVERY_BASE, FaultsMax: 2 }),
  whole("recovery, two coupons", THREE_KEYS, { ...RECOVERY_BASE, Stock: 2, OpeningsMax: 2 }),
  whole("recovery, three entries under way", THREE_KEYS, { ...RECOVERY_BASE, ...TWO_COUPONS, Stock: 3 }),
  withoutSecondLines("recovery, no second lines, PostgreSQL away", { DatabaseAway: true }),
  withoutSecondLines("recovery, no second lines, two faults", { FaultsMax: 2, Faults: ["truncate"] }),
  whole("ledger, longer log", LEDGER, { LengthMax: 5 }),
];

function without(guard: string, breaks: string, specification: Specification, constants: Constants): Check {
  return { name: guard, specification, constants, off: [guard], breaks };
}

/** The lemma breaks before the promises do; only where nothing else would break is it looked at. */
const recovery = (guard: string, breaks = "AnswersFollow", more: Constants = {}) =>
  without(
    guard,
    breaks,
    { ...RECOVERY, invariants: PROMISES.includes(breaks) ? PROMISES : RECOVERY.invariants },
    { ...RECOVERY_BASE, ...more },
  );

/** A guard that another one stands behind: both are taken out. */
const second = (guard: string, behind: string, more: Constants = {}): Check => {
  const check = recovery(guard, "AnswersFollow", more);
  return { ...check, off: [guard, behind] };
};

/** Each guard taken out: the checker has to find what it prevents. */
export const WITHOUT_ONE_GUARD: readonly Check[] = [
  recovery("script_entry"),
  recovery("script_hash", "AnswersFollow", { ConnectBack: true, SentTwice: true }),
  second("script_epoch", "script_hash"),
  recovery("answer_after_append"),
  recovery("offset_follows"),
  recovery("count_epoch", "MarkerCloses"),
  recovery("count_number", "NoOversell", { DatabaseAway: true, FaultsMax: 0 }),
  recovery("marker_first"),
  recovery("redo"),
  recovery("resend"),
  recovery("hash"),
  second("open_hash", "script_hash", { FaultsMax: 2, Faults: ["truncate"] }),
  recovery("base_header", "AnswersFollow", { DatabaseAway: true, Faults: ["wipe"] }),
  recovery("replay_when_durable"),
  recovery("ledger_has_it"),
  recovery("redo_hash", "AnswersFollow", { Stock: 2, Faults: ["wipe"] }),
  recovery("outbox_hash", "LedgerGoesOn", { Stock: 2, Faults: ["wipe"] }),
  recovery("one_in_flight", "LedgerGoesOn", { ...TWO_COUPONS, FaultsMax: 0 }),
  recovery("drain_stops", "LedgerGoesOn", { ...TWO_COUPONS, FaultsMax: 0 }),
  recovery("load_token", "AnswersFollow", { ...LOADS, Faults: ["wipe"] }),
  recovery("load_step", "AnswersFollow", { ...LOADS, Faults: ["wipe"] }),
  recovery("load_unserves", "AnswersFollow", LOADS),
  recovery("open_nothing", "AnswersFollow", { ...LOADS, Faults: ["wipe"] }),
  recovery("gap_fails", "AnswersFollow", { DatabaseAway: true, Stock: 2, Faults: ["truncate"], Disturbed: false }),
  without("position_cas", "ExactlyOnce", LEDGER, LEDGER_BASE),
  without("one_transaction", "ExactlyOnce", LEDGER, LEDGER_BASE),
  without("debit_durable", "NoOversell", TRANSFER, { Stock: 2, TransfersMax: 2 }),
  without("credit_once", "NoOversell", TRANSFER, { Stock: 2, TransfersMax: 2 }),
  without("debit_again", "NoneStranded", TRANSFER, { Stock: 2, TransfersMax: 2 }),
  without("credit_durable", "NoneStranded", TRANSFER, { Stock: 2, TransfersMax: 2 }),
];
