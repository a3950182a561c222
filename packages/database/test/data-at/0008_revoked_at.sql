INSERT INTO management.batch (batch_id, version, campaign_id, template_id, name, state, revoked, revoked_at, sandbox,
  stock_total, per_user, window_from, window_until, callers, funding, time_zone, shards, coupon_key_version, template,
  template_version, authors, created_by, created_at, updated_at)
VALUES ('b8', 1, 'c1', 't1', 'Leaked', 'deactivated', true, now(), false, 10, 1, now(), now() + interval '1 day', '[]',
  '[]', 'Asia/Shanghai', 4, 1, '{}', 1, '{ann}', 'ann', now(), now());
