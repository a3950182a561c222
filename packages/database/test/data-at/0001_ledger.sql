INSERT INTO ledger.partition_position VALUES (3, 42, 17);
INSERT INTO ledger.shard (batch, shard, partition, number, hash, at_ms, issued, day_start_ms, day_issued, debited, credited,
  redemptions, reversals, restored, deactivated, discounted, discount_reversed, rules)
VALUES (7, 0, 3, 9, decode(repeat('ab', 20), 'hex'), 1800000000000, 1000, 1799971200000, 1000, 5, 3, 1, 1, 1, 1, 500, 500,
  '{"version": 1, "allotment": 2000}');
INSERT INTO ledger.coupon (key_hash, issued_at_ms, batch, serial, shard, state, via, user_id, caller_id)
SELECT n, 1800000000000, 7, n, 0, n % 5, 'c', 'user-' || n, 'shop' FROM generate_series(1, 1000) n;
INSERT INTO ledger.hold VALUES (7, 0, 2, 'shop', 'o2', 'p', 1800000000000, 1800000060000, '{"discount": 500}');
INSERT INTO ledger.redemption VALUES (7, 0, 3, 5, 'shop', 'o3', 'p', 1800000000000, 500, 'CNY', '[]');
INSERT INTO ledger.reversal
VALUES (7, 0, 3, 6, 'shop', 'o3', 'r1', 'k', 'p', 'broken', 1800000000000, 500, 0, 'CNY', '[]', true);
INSERT INTO ledger.release VALUES (7, 0, 4, 7, 'shop', 'o4', 1800000000000, true);
INSERT INTO ledger.deactivation VALUES (7, 0, 4, 8, 'fraud', 1800000000000);
INSERT INTO ledger.rules_history VALUES (7, 0, 1, 1800000000000, 1, '{"version": 1}');
INSERT INTO ledger.transfer VALUES (7, 0, 2, 'debit', 1, 1, 5, 1800000000000), (7, 0, 3, 'credit', 1, 1, 3, 1800000000000);
