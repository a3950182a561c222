INSERT INTO ledger.release VALUES (7, 0, 5, 9, 'shop', 'o5', 1800000000000, false),
  (7, 0, 5, 9, 'shop', 'o6', 1800000000000, false);
