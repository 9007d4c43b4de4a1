-- Lets questions about costs and outcomes be answered out of an index alone. Costs: by metric, then by day, then by what is
-- asked for, so that days can be left out and the rest is added up in the order of the index, without sorting; what is
-- summed up stands behind that. SQLite has no INCLUDE: what is only carried along are columns of the index like the first
-- ones. It also does what the index on the metric alone did. The expression and not execution_date, because SQLite 3.40
-- looks into the table for a generated column that is not stored, although its index has it.
DROP INDEX idx_cost_metric;
CREATE INDEX idx_cost_metric_time ON agent_cost_vector (metric_type, substr(timestamp, 1, 10), agent_role, agent_version,
  llm_model, llm_provider, project_id, user_id, nested, timestamp, metric_value, task_id);

-- Outcomes: by time, with all that is counted behind it.
DROP INDEX idx_trace_started;
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC, kind, agent_role, status, duration_ms, name, user_id,
  task_id);
