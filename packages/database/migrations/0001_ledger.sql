-- What the ledger service writes and everybody else only reads: the entries of the log, applied. Columns
-- that end in _ms are milliseconds since the Unix epoch, as the entries have them. Text is compared by
-- its bytes (COLLATE "C"), which an index does several times as fast as by a language's rules.

CREATE SCHEMA ledger;

-- One row a partition of the entries topic. Every transaction moves it by compare-and-set.
CREATE TABLE ledger.partition_position (
  partition smallint PRIMARY KEY CHECK (partition >= 0),
  -- Offset of the next message to apply.
  position  bigint NOT NULL CHECK (position >= 0),
  -- Offset of the last marker applied; -1 before the first.
  epoch     bigint NOT NULL CHECK (epoch >= -1)
) WITH (fillfactor = 50);

-- One row a shard, at the last entry applied. Counters are totals since entry 1.
CREATE TABLE ledger.shard (
  batch                integer NOT NULL,
  shard                smallint NOT NULL,
  partition            smallint NOT NULL,
  -- Number and SHA-1 of the last entry applied, and its time.
  number               bigint NOT NULL,
  hash                 bytea NOT NULL CHECK (length(hash) = 20),
  at_ms                bigint NOT NULL,
  -- Serials are dense from 0, so this is also the serial that the next coupon gets.
  issued               integer NOT NULL,
  -- Start of the day in which the last issues counted, and how many counted in it.
  day_start_ms         bigint NOT NULL,
  day_issued           integer NOT NULL,
  debited              integer NOT NULL,
  credited             integer NOT NULL,
  redemptions          integer NOT NULL,
  reversals            integer NOT NULL,
  -- Coupons that came back with a reversal, and coupons that were killed one by one.
  restored             integer NOT NULL,
  deactivated          integer NOT NULL,
  -- Minor units of the batch's currency.
  discounted           bigint NOT NULL,
  discount_reversed    bigint NOT NULL,
  -- The rules in force; null before the shard's first rules entry.
  rules                jsonb,
  PRIMARY KEY (batch, shard)
) WITH (fillfactor = 50);

CREATE INDEX shard_partition_idx ON ledger.shard (partition);

-- One row a coupon. Wide columns come first, so that no byte is lost to alignment; nothing is null, so
-- that a row has no null bitmap.
CREATE TABLE ledger.coupon (
  key_hash     bigint NOT NULL,
  issued_at_ms bigint NOT NULL,
  batch        integer NOT NULL,
  serial       integer NOT NULL,
  shard        smallint NOT NULL,
  -- 0 effective and never touched, 1 effective with something on record, 2 locked, 3 redeemed, 4 deactivated
  state        smallint NOT NULL,
  -- 'c' claimed, 'g' granted
  via          "char" NOT NULL,
  user_id      text COLLATE "C" NOT NULL,
  caller_id    text COLLATE "C" NOT NULL,
  PRIMARY KEY (batch, shard, serial)
) PARTITION BY HASH (batch, shard);

CREATE INDEX coupon_wallet_idx ON ledger.coupon (user_id, issued_at_ms DESC);

-- The hold that a coupon is under. A release, a redemption or a deactivation takes it away; one whose
-- deadline has passed stays until another takes its place.
CREATE TABLE ledger.hold (
  batch        integer NOT NULL,
  shard        smallint NOT NULL,
  serial       integer NOT NULL,
  caller_id    text COLLATE "C" NOT NULL,
  order_id     text COLLATE "C" NOT NULL,
  payload      text COLLATE "C" NOT NULL,
  locked_at_ms bigint NOT NULL,
  until_ms     bigint NOT NULL,
  -- A domain Discount.
  discount     jsonb NOT NULL,
  PRIMARY KEY (batch, shard, serial)
);

CREATE INDEX hold_order_idx ON ledger.hold (order_id, caller_id);

-- Facts from here on: rows are only ever added. `number` is the entry that brought them.
CREATE TABLE ledger.redemption (
  batch          integer NOT NULL,
  shard          smallint NOT NULL,
  serial         integer NOT NULL,
  number         bigint NOT NULL,
  caller_id      text COLLATE "C" NOT NULL,
  order_id       text COLLATE "C" NOT NULL,
  payload        text COLLATE "C" NOT NULL,
  redeemed_at_ms bigint NOT NULL,
  -- Minor units of `currency`.
  discount       bigint NOT NULL,
  currency       text COLLATE "C" NOT NULL,
  -- [{lineId, quantity, discount}]
  lines          jsonb NOT NULL,
  PRIMARY KEY (batch, shard, serial, number)
) PARTITION BY HASH (batch, shard);

CREATE INDEX redemption_order_idx ON ledger.redemption (order_id, caller_id);

DO $$
BEGIN
  FOR remainder IN 0..15 LOOP
    EXECUTE format(
      'CREATE TABLE ledger.coupon_%s PARTITION OF ledger.coupon FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
      remainder, remainder);
    EXECUTE format(
      'CREATE TABLE ledger.redemption_%s PARTITION OF ledger.redemption FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
      remainder, remainder);
  END LOOP;
END $$;

-- Undoes part or all of the redemption of the same coupon by the same order.
CREATE TABLE ledger.reversal (
  batch          integer NOT NULL,
  shard          smallint NOT NULL,
  serial         integer NOT NULL,
  number         bigint NOT NULL,
  caller_id      text COLLATE "C" NOT NULL,
  order_id       text COLLATE "C" NOT NULL,
  reversal_id    text COLLATE "C" NOT NULL,
  key_hash       text COLLATE "C" NOT NULL,
  payload        text COLLATE "C" NOT NULL,
  reason         text COLLATE "C" NOT NULL,
  reversed_at_ms bigint NOT NULL,
  -- What it takes back, and what is left of the redemption's discount after it.
  discount       bigint NOT NULL,
  remaining      bigint NOT NULL,
  currency       text COLLATE "C" NOT NULL,
  lines          jsonb NOT NULL,
  restored       boolean NOT NULL,
  PRIMARY KEY (batch, shard, serial, number)
);

CREATE INDEX reversal_order_idx ON ledger.reversal (order_id, caller_id);

CREATE TABLE ledger.release (
  batch          integer NOT NULL,
  shard          smallint NOT NULL,
  serial         integer NOT NULL,
  number         bigint NOT NULL,
  caller_id      text COLLATE "C" NOT NULL,
  order_id       text COLLATE "C" NOT NULL,
  released_at_ms bigint NOT NULL,
  -- Whether a hold was given back.
  held           boolean NOT NULL,
  PRIMARY KEY (batch, shard, serial, number)
);

CREATE TABLE ledger.deactivation (
  batch             integer NOT NULL,
  shard             smallint NOT NULL,
  serial            integer NOT NULL,
  number            bigint NOT NULL,
  reason            text COLLATE "C" NOT NULL,
  deactivated_at_ms bigint NOT NULL,
  PRIMARY KEY (batch, shard, serial, number)
);

CREATE TABLE ledger.rules_history (
  batch   integer NOT NULL,
  shard   smallint NOT NULL,
  number  bigint NOT NULL,
  at_ms   bigint NOT NULL,
  version bigint NOT NULL,
  rules   jsonb NOT NULL,
  PRIMARY KEY (batch, shard, number)
);

-- Stock on its way between two shards of a batch: the debit of one, and the credit of the other.
CREATE TABLE ledger.transfer (
  batch    integer NOT NULL,
  shard    smallint NOT NULL,
  number   bigint NOT NULL,
  kind     text COLLATE "C" NOT NULL CHECK (kind IN ('debit', 'credit')),
  -- The other shard, and the transfer's number in the counter of (source, target).
  peer     smallint NOT NULL,
  transfer integer NOT NULL,
  amount   integer NOT NULL,
  at_ms    bigint NOT NULL,
  PRIMARY KEY (batch, shard, number)
);

-- The database's own guard that no transfer is debited or credited twice.
CREATE UNIQUE INDEX transfer_once_idx ON ledger.transfer (batch, shard, kind, peer, transfer);
