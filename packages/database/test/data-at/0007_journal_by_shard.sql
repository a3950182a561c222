INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
VALUES (1800000000007, 7, 500, 7, 1, 0, 'issue', 'commitment', 'platform');
