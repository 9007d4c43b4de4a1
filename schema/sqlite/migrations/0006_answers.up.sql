-- Lets questions about costs and outcomes be answered out of an index alone. Costs: by metric, then by day, role and model,
-- so that days can be left out and the rest is added up in the order of the index, without sorting. Then by time, so that
-- new rows stand beside each other: projects and users before it would double the pages that a transaction writes. What is
-- only carried along follows, as SQLite has no INCLUDE. It also does what the index on the metric alone did. The expression
-- and not execution_date, because SQLite 3.40 looks into the table for a generated column although its index has it.
DROP INDEX idx_cost_metric;
CREATE INDEX idx_cost_metric_time ON agent_cost_vector (metric_type, substr(timestamp, 1, 10), agent_role, agent_version,
  llm_model, llm_provider, timestamp, project_id, user_id, nested, metric_value, task_id);

-- Outcomes: by time, with all that is counted behind it.
DROP INDEX idx_trace_started;
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC, kind, agent_role, status, duration_ms, name, user_id,
  task_id);
