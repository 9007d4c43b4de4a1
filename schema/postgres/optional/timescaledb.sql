-- Optional, after hypertable_access.sql: keeps months of costs in TimescaleDB (2.22 on PostgreSQL 15 or newer), in
-- chunks that are compressed when they are old, and sums up days and hours ahead of the question.
--   psql "$ASP_DATABASE_URL" --set ON_ERROR_STOP=1 --file hypertable_access.sql --file timescaledb.sql
-- Sizes before and after: SELECT * FROM hypertable_compression_stats('agent_cost_vector');

CREATE EXTENSION IF NOT EXISTS timescaledb;

BEGIN;

-- A unique index of a hypertable has to hold the time that its chunks are cut by.
ALTER TABLE agent_cost_vector DROP CONSTRAINT agent_cost_vector_pkey, ADD PRIMARY KEY (id, timestamp);
ALTER TABLE bootstrap_metrics DROP CONSTRAINT bootstrap_metrics_pkey, ADD PRIMARY KEY (id, measured_at);

-- The indexes on the time exist already.
SELECT create_hypertable('agent_cost_vector', by_range('timestamp', INTERVAL '7 days'),
  create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('bootstrap_metrics', by_range('measured_at', INTERVAL '30 days'),
  create_default_indexes => false, migrate_data => true);

ALTER TABLE agent_cost_vector SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'agent_role, metric_type',
  timescaledb.compress_orderby = 'timestamp DESC, id'
);
ALTER TABLE bootstrap_metrics SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'capability_name',
  timescaledb.compress_orderby = 'measured_at DESC, id'
);
SELECT add_compression_policy('agent_cost_vector', INTERVAL '30 days');
SELECT add_compression_policy('bootstrap_metrics', INTERVAL '60 days');

-- The names and columns of the views they replace; the day is a time (midnight in UTC) instead of a date.
DROP VIEW daily_cost_summary;
CREATE MATERIALIZED VIEW daily_cost_summary
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
  time_bucket(INTERVAL '1 day', timestamp) AS day, agent_role, project_id,
  count(DISTINCT correlation_id) AS executions,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms
FROM agent_cost_vector
GROUP BY time_bucket(INTERVAL '1 day', timestamp), agent_role, project_id
WITH NO DATA;

DROP VIEW hourly_agent_performance;
CREATE MATERIALIZED VIEW hourly_agent_performance
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
  execution_date AS day, time_bucket(INTERVAL '1 hour', timestamp) AS hour, agent_role,
  count(DISTINCT task_id) AS tasks,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) FILTER (WHERE metric_type = 'Latency') AS p95_latency_ms,
  sum(metric_value) FILTER (WHERE metric_type = 'Retries') AS retries
FROM agent_cost_vector
GROUP BY execution_date, time_bucket(INTERVAL '1 hour', timestamp), agent_role
WITH NO DATA;

-- A month back, because a machine may drain its journal late. No further, or sums would go with rows that a retention
-- policy drops.
SELECT add_continuous_aggregate_policy('daily_cost_summary',
  start_offset => INTERVAL '30 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour');
SELECT add_continuous_aggregate_policy('hourly_agent_performance',
  start_offset => INTERVAL '30 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '15 minutes');

COMMENT ON VIEW daily_cost_summary IS 'What each role cost per day (UTC) and project, summed up ahead of the question.';
COMMENT ON VIEW hourly_agent_performance IS 'How fast each role was per hour (UTC), summed up ahead of the question.';

-- They hold the rows of all users, summed up: not for ordinary ones.
REVOKE ALL ON daily_cost_summary, hourly_agent_performance FROM PUBLIC, anon, authenticated;
GRANT SELECT ON daily_cost_summary, hourly_agent_performance TO service_role;

COMMIT;

-- Outside of the transaction, and again whenever older rows have come (a copy, a restore, a journal that was away for more
-- than a month): the policies look a month back, and rows before the newest sum that none of them covers are not seen. Only
-- up to where the policies end: what is summed up is not looked at live, and so would be old until its turn comes.
CALL refresh_continuous_aggregate('daily_cost_summary', NULL, now() - INTERVAL '1 day');
CALL refresh_continuous_aggregate('hourly_agent_performance', NULL, now() - INTERVAL '1 hour');

-- Optional: what is older than two years goes; the sums of days and hours stay, unless they are summed up again as above.
--   SELECT add_retention_policy('agent_cost_vector', INTERVAL '2 years');
