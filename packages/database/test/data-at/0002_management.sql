INSERT INTO management.template (template_id, version, definition, created_by, created_at, updated_at)
VALUES ('t1', 1, '{}', 'ann', now(), now());
INSERT INTO management.campaign (campaign_id, version, name, starts_at, ends_at, currency, budget, reserved,
  created_by, created_at, updated_at)
VALUES ('c1', 1, 'Spring', now(), now() + interval '1 day', 'CNY', 100, 50, 'ann', now(), now());
INSERT INTO management.batch (batch_id, version, campaign_id, template_id, name, state, revoked, sandbox, stock_total,
  per_user, window_from, window_until, callers, funding, time_zone, shards, coupon_key_version, authors, created_by,
  created_at, updated_at)
VALUES ('b1', 1, 'c1', 't1', 'First', 'draft', false, false, 10, 1, now(), now() + interval '1 day', '[]', '[]',
  'Asia/Shanghai', 4, 1, '{ann}', 'ann', now(), now());
INSERT INTO management.budget_reservation (batch_id, campaign_id, amount, updated_at) VALUES ('b1', 'c1', 50, now());
INSERT INTO management.audit (at, actor, action, resource_kind, resource_id, version)
VALUES (now(), 'ann', 'create', 'batch', 'b1', 1);
INSERT INTO management.publication (batch_id, version, definition, created_at) VALUES ('b1', 1, '{}', now());
