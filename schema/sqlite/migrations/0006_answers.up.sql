-- Lets questions about costs and outcomes be answered out of an index alone. Costs: by metric, then by time, with all that is summed up or
-- asked for behind it. SQLite has no INCLUDE: what is only carried along are columns of the index like the first two.
-- It also does what the index on the metric alone did.
DROP INDEX idx_cost_metric;
CREATE INDEX idx_cost_metric_timestamp ON agent_cost_vector (metric_type, timestamp, agent_role, llm_model, llm_provider,
  project_id, user_id, nested, metric_value, task_id, agent_version);

-- Outcomes: by time, with all that is counted behind it.
DROP INDEX idx_trace_started;
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC, kind, agent_role, status, duration_ms, name, user_id,
  task_id);
