-- Up Migration

-- One entry may release a coupon for several orders: by entry and coupon alone two of them were one row, and the
-- partition's ledger was halted.
ALTER TABLE ledger.release
  DROP CONSTRAINT release_pkey,
  ADD PRIMARY KEY (batch, shard, serial, number, caller_id, order_id);
