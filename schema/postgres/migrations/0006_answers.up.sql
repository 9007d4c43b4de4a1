-- Finds one metric in a stretch of time; also does what the index on the metric alone did. Nothing is carried along as in
-- SQLite: PostgreSQL answers the questions about costs fast enough from the table, with several processes where need be.
DROP INDEX idx_cost_metric;
CREATE INDEX idx_cost_metric_time ON agent_cost_vector (metric_type, timestamp);
