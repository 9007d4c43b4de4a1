-- Brings back the indexes on the metric and on the start alone.
DROP INDEX idx_cost_metric_time;
CREATE INDEX idx_cost_metric ON agent_cost_vector (metric_type);
DROP INDEX idx_trace_started;
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC);
