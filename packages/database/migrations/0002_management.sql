-- Up Migration

-- What operators decide: templates, campaigns, batches, their budget, the audit of every change, and the
-- outbox from which definitions are published. Written by the campaigns service alone.

CREATE SCHEMA IF NOT EXISTS management;

CREATE TABLE management.template (
  template_id text PRIMARY KEY,
  version     integer NOT NULL CHECK (version > 0),
  definition  jsonb NOT NULL,
  created_by  text NOT NULL,
  created_at  timestamptz(3) NOT NULL,
  updated_at  timestamptz(3) NOT NULL
);

CREATE TABLE management.campaign (
  campaign_id text PRIMARY KEY,
  version     integer NOT NULL CHECK (version > 0),
  name        text NOT NULL,
  starts_at   timestamptz(3) NOT NULL,
  ends_at     timestamptz(3) NOT NULL,
  currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  budget      bigint NOT NULL CHECK (budget >= 0),
  reserved    bigint NOT NULL CHECK (reserved >= 0),
  created_by  text NOT NULL,
  created_at  timestamptz(3) NOT NULL,
  updated_at  timestamptz(3) NOT NULL,
  CONSTRAINT campaign_dates CHECK (starts_at < ends_at),
  -- The last line of defence: reservations never pass the budget, whatever the code above does.
  CONSTRAINT campaign_within_budget CHECK (reserved <= budget)
);

CREATE TABLE management.batch (
  batch_id           text PRIMARY KEY,
  batch_number       integer GENERATED ALWAYS AS IDENTITY UNIQUE,
  version            integer NOT NULL CHECK (version > 0),
  campaign_id        text NOT NULL REFERENCES management.campaign (campaign_id),
  template_id        text NOT NULL REFERENCES management.template (template_id),
  name               text NOT NULL,
  state              text NOT NULL CHECK (
    state IN ('draft', 'in_review', 'approved', 'issuing', 'paused', 'ended', 'deactivated')
  ),
  revoked            boolean NOT NULL,
  sandbox            boolean NOT NULL,
  stock_total        bigint NOT NULL CHECK (stock_total > 0),
  stock_per_day      bigint CHECK (stock_per_day > 0),
  per_user           integer NOT NULL CHECK (per_user > 0),
  per_user_per_day   integer CHECK (per_user_per_day > 0),
  window_from        timestamptz(3) NOT NULL,
  window_until       timestamptz(3) NOT NULL,
  callers            jsonb NOT NULL,
  funding            jsonb NOT NULL,
  time_zone          text NOT NULL,
  shards             integer NOT NULL CHECK (shards > 0),
  coupon_key_version integer NOT NULL CHECK (coupon_key_version BETWEEN 1 AND 31),
  template           jsonb,
  template_version   integer,
  published_version  integer,
  confirmed_version  integer,
  decrease_from      bigint,
  decrease_version   integer,
  authors            text[] NOT NULL,
  approved_by        text,
  created_by         text NOT NULL,
  created_at         timestamptz(3) NOT NULL,
  updated_at         timestamptz(3) NOT NULL,
  CONSTRAINT batch_window CHECK (window_from < window_until),
  CONSTRAINT batch_template_frozen CHECK ((state = 'draft') = (template IS NULL)),
  CONSTRAINT batch_decrease CHECK ((decrease_from IS NULL) = (decrease_version IS NULL)),
  CONSTRAINT batch_author_never_approves CHECK (approved_by IS NULL OR NOT approved_by = ANY (authors))
);

CREATE INDEX batch_campaign_id_batch_id_idx ON management.batch (campaign_id, batch_id);
CREATE INDEX batch_unconfirmed_idx ON management.batch (batch_id)
  WHERE confirmed_version IS DISTINCT FROM published_version;

CREATE TABLE management.budget_reservation (
  batch_id    text PRIMARY KEY REFERENCES management.batch (batch_id),
  campaign_id text NOT NULL REFERENCES management.campaign (campaign_id),
  amount      bigint NOT NULL CHECK (amount >= 0),
  updated_at  timestamptz(3) NOT NULL
);

CREATE INDEX budget_reservation_campaign_id_idx ON management.budget_reservation (campaign_id);

CREATE TABLE management.audit (
  audit_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at            timestamptz(3) NOT NULL,
  actor         text NOT NULL,
  action        text NOT NULL,
  resource_kind text NOT NULL CHECK (resource_kind IN ('template', 'campaign', 'batch', 'coupon')),
  resource_id   text NOT NULL,
  version       integer,
  request       jsonb,
  before        jsonb,
  after         jsonb
);

-- One change makes one version; the index also finds the change that made a version when it is repeated.
CREATE UNIQUE INDEX audit_resource_kind_resource_id_version_key
  ON management.audit (resource_kind, resource_id, version);

CREATE TABLE management.publication (
  publication_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  batch_id       text NOT NULL REFERENCES management.batch (batch_id),
  version        integer NOT NULL,
  definition     jsonb NOT NULL,
  created_at     timestamptz(3) NOT NULL
);
