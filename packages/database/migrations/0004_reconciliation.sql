-- Up Migration

-- Corrections as the log tells them: a fact like the others, written with its entry and never changed.
CREATE TABLE ledger.correction (
  batch         integer NOT NULL,
  shard         smallint NOT NULL,
  number        bigint NOT NULL,
  correction_id text COLLATE "C" NOT NULL,
  -- What is derived anew: redis, postgresql.
  stores        text[] NOT NULL,
  -- Coupons concerned; none: the shard's counters.
  serials       integer[] NOT NULL,
  reason        text NOT NULL,
  proposed_by   text NOT NULL,
  approved_by   text NOT NULL,
  corrected_at_ms bigint NOT NULL,
  PRIMARY KEY (batch, shard, number)
);

CREATE INDEX correction_id_idx ON ledger.correction (correction_id);

-- Runs of the audit, what they found, and what was proposed and approved about it.
CREATE TABLE ledger.reconciliation (
  reconciliation_id text COLLATE "C" PRIMARY KEY,
  trigger     text NOT NULL CHECK (trigger IN ('operator', 'nightly', 'proof', 'correction')),
  started_by  text NOT NULL,
  -- Null: all batches; all shards.
  batch       integer,
  shard       smallint,
  state       text NOT NULL CHECK (state IN ('queued', 'running', 'clean', 'discrepant', 'failed')),
  created_at  timestamptz(3) NOT NULL DEFAULT now(),
  -- The process that runs it says every few seconds that it does.
  beat_at     timestamptz(3) NOT NULL DEFAULT now(),
  finished_at timestamptz(3),
  shards      integer NOT NULL DEFAULT 0,
  coupons     bigint NOT NULL DEFAULT 0,
  -- Discrepancies found; no more than a bounded number of them is kept as rows.
  found       bigint NOT NULL DEFAULT 0,
  detail      text,
  -- Of a nightly run: the night, so that one process alone begins it.
  night       date UNIQUE
);

CREATE INDEX reconciliation_created_idx ON ledger.reconciliation (created_at DESC, reconciliation_id DESC);

CREATE TABLE ledger.discrepancy (
  discrepancy_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reconciliation_id text COLLATE "C" NOT NULL REFERENCES ledger.reconciliation (reconciliation_id),
  batch     integer NOT NULL,
  shard     smallint NOT NULL,
  -- Null: the shard's counters.
  serial    integer,
  coupon_id text,
  -- The store that differs from the log.
  store     text NOT NULL CHECK (store IN ('redis', 'postgresql')),
  kind      text NOT NULL,
  -- The entry at which both were compared.
  number    bigint NOT NULL,
  expected  jsonb NOT NULL,
  found     jsonb NOT NULL,
  correction_id text COLLATE "C"
);

CREATE INDEX discrepancy_reconciliation_idx ON ledger.discrepancy (reconciliation_id, discrepancy_id);

CREATE TABLE ledger.correction_request (
  correction_id     text COLLATE "C" PRIMARY KEY,
  reconciliation_id text COLLATE "C" NOT NULL REFERENCES ledger.reconciliation (reconciliation_id),
  batch       integer NOT NULL,
  shard       smallint NOT NULL,
  stores      text[] NOT NULL,
  serials     integer[] NOT NULL,
  reason      text NOT NULL,
  state       text NOT NULL CHECK (state IN ('proposed', 'approved', 'applied')),
  version     integer NOT NULL DEFAULT 1,
  proposed_by text NOT NULL,
  proposed_at timestamptz(3) NOT NULL DEFAULT now(),
  approved_by text,
  approved_at timestamptz(3),
  -- The entry that carries it, and the one at which PostgreSQL's rows were derived anew.
  number      bigint,
  derived_at_number bigint,
  applied_at  timestamptz(3),
  CONSTRAINT correction_author_never_approves CHECK (approved_by IS NULL OR approved_by <> proposed_by)
);

CREATE INDEX correction_request_open_idx ON ledger.correction_request (correction_id) WHERE state = 'approved';
CREATE INDEX correction_request_reconciliation_idx ON ledger.correction_request (reconciliation_id);
