-- Up Migration

-- Lines of the journal that an approved correction has posted: each the difference that sets an event right. A line like
-- any other, of the event and entry that it corrects; here stands which correction of the shard it is of. What a
-- correction takes back is below 0 in coupons, too.
CREATE TABLE ledger.posting_correction (
  batch             integer NOT NULL,
  shard             smallint NOT NULL,
  posting_id        bigint NOT NULL,
  -- The entry that carries the correction.
  correction_number bigint NOT NULL,
  PRIMARY KEY (batch, shard, posting_id)
);

ALTER TABLE ledger.posting
  DROP CONSTRAINT posting_amount_check,
  DROP CONSTRAINT posting_coupons_check,
  ADD CONSTRAINT posting_says_something CHECK (amount <> 0 OR coupons <> 0) NOT VALID;
