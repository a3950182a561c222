-- Up Migration

-- A reversal is told again as it was told first, also where the batch was revoked in between.
ALTER TABLE management.batch ADD COLUMN revoked_at timestamptz(3);
