INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
VALUES (1800000000000, 9, 1, 7, 0, 0, 'issue', 'commitment', 'platform');
INSERT INTO ledger.posting_correction VALUES (7, 0, 3, 12);
