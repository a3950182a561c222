-- The books: double-entry lines for what happens to coupons, written by the ledger in the transaction of what causes
-- them. Amounts are minor units of the batch's currency, positive for a debit and negative for a credit.

-- What money needs to know of a batch. Frozen when the batch was submitted, so that a row never changes.
CREATE TABLE ledger.batch_terms (
  batch             integer PRIMARY KEY,
  batch_id          text COLLATE "C" NOT NULL,
  campaign_id       text COLLATE "C" NOT NULL,
  currency          text COLLATE "C" NOT NULL,
  -- The most that one coupon can take off.
  greatest_discount bigint NOT NULL CHECK (greatest_discount >= 0),
  -- [{party, basisPoints}]
  funding           jsonb NOT NULL,
  -- A domain Validity, and the time zone of its days.
  validity          jsonb NOT NULL,
  time_zone         text COLLATE "C" NOT NULL
);

CREATE INDEX batch_terms_campaign_idx ON ledger.batch_terms (campaign_id, batch);

-- The journal. Rows are only ever added. `number` is the entry that brought the line; of an expiry the shard's last
-- entry before it.
CREATE TABLE ledger.posting (
  posting_id bigint GENERATED ALWAYS AS IDENTITY,
  at_ms      bigint NOT NULL,
  number     bigint NOT NULL,
  amount     bigint NOT NULL CHECK (amount <> 0),
  batch      integer NOT NULL,
  -- How many coupons it is for.
  coupons    integer NOT NULL CHECK (coupons > 0),
  shard      smallint NOT NULL,
  event      text COLLATE "C" NOT NULL,
  account    text COLLATE "C" NOT NULL,
  party      text COLLATE "C" NOT NULL,
  PRIMARY KEY (at_ms, posting_id)
);

CREATE INDEX posting_batch_idx ON ledger.posting (batch, at_ms, posting_id);

-- What the journal adds up to. Kept by the transactions that write it; one shard's rows are written by one
-- transaction at a time.
CREATE TABLE ledger.account_balance (
  batch   integer NOT NULL,
  shard   smallint NOT NULL,
  event   text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  party   text COLLATE "C" NOT NULL,
  amount  bigint NOT NULL,
  coupons bigint NOT NULL,
  PRIMARY KEY (batch, shard, event, account, party)
) WITH (fillfactor = 50);

-- How far the books of a shard have come beyond its entries. A shard without a row stands at 0 in everything.
CREATE TABLE ledger.shard_books (
  batch          integer NOT NULL,
  shard          smallint NOT NULL,
  -- Coupons with a smaller serial have been swept: they are over, or deferred.
  swept          integer NOT NULL DEFAULT 0,
  -- Instant up to which the last sweep looked; what it swept was over by then.
  swept_until_ms bigint NOT NULL DEFAULT 0,
  -- What swept coupons have cost, less what was reversed.
  over_cost      bigint NOT NULL DEFAULT 0,
  -- Coupons that were killed one by one and not swept yet.
  killed         integer NOT NULL DEFAULT 0,
  -- Whether everything that the shard has issued is dead.
  revoked        boolean NOT NULL DEFAULT false,
  -- False where the shard had coupons before there were books, and has no opening lines yet.
  opened         boolean NOT NULL DEFAULT true,
  PRIMARY KEY (batch, shard)
) WITH (fillfactor = 50);

-- Coupons that were swept while a hold kept them: they expire when it has ended.
CREATE TABLE ledger.deferred_expiry (
  batch  integer NOT NULL,
  shard  smallint NOT NULL,
  serial integer NOT NULL,
  PRIMARY KEY (batch, shard, serial)
);

INSERT INTO ledger.shard_books (batch, shard, opened) SELECT batch, shard, false FROM ledger.shard;
