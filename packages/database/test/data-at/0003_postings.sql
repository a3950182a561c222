INSERT INTO ledger.batch_terms VALUES (7, 'bat_7', 'cmp_1', 'CNY', 500, '[{"party": "platform", "basisPoints": 10000}]',
  '{"days": 30, "mode": "calendar"}', 'Asia/Shanghai');
INSERT INTO ledger.posting (at_ms, number, amount, batch, coupons, shard, event, account, party)
VALUES (1800000000000, 9, 500, 7, 1, 0, 'issue', 'commitment', 'platform'),
  (1800000000000, 9, -500, 7, 1, 0, 'issue', 'liability', 'platform');
INSERT INTO ledger.account_balance VALUES (7, 0, 'issue', 'commitment', 'platform', 500, 1),
  (7, 0, 'issue', 'liability', 'platform', -500, 1);
INSERT INTO ledger.deferred_expiry VALUES (7, 0, 2);
