INSERT INTO ledger.correction VALUES (7, 0, 9, 'cor_1', '{postgresql}', '{3}', 'a row was lost', 'ann', 'bob', 1800000000000);
INSERT INTO ledger.reconciliation (reconciliation_id, trigger, started_by, state) VALUES ('rec_1', 'operator', 'ann', 'discrepant');
INSERT INTO ledger.discrepancy (reconciliation_id, batch, shard, serial, store, kind, number, expected, found)
VALUES ('rec_1', 7, 0, 3, 'postgresql', 'missing', 8, '{}', '{}');
INSERT INTO ledger.correction_request (correction_id, reconciliation_id, batch, shard, stores, serials, reason, state, proposed_by)
VALUES ('cor_1', 'rec_1', 7, 0, '{postgresql}', '{3}', 'a row was lost', 'proposed', 'ann');
