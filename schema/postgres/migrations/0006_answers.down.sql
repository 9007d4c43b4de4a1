-- Brings back the index on the metric alone.
DROP INDEX idx_cost_metric_time;
CREATE INDEX idx_cost_metric ON agent_cost_vector (metric_type);
