-- Up Migration

-- An audit reads the journal shard by shard: without it each shard's turn reads all lines of its batch. Where the journal is
-- long already, make the index ahead, by CREATE INDEX CONCURRENTLY under this name: then nothing waits here.
CREATE INDEX IF NOT EXISTS posting_shard_idx ON ledger.posting (batch, shard, number, posting_id);
