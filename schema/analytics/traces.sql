-- What belongs to one trace, archived or not; both databases understand it. `:name` marks a value.

-- name: root_of
SELECT root_id FROM execution_traces WHERE correlation_id = :id
UNION ALL
SELECT root_id FROM execution_traces WHERE root_id = :id
UNION ALL
SELECT root_id FROM execution_traces_archive WHERE correlation_id = :id
UNION ALL
SELECT root_id FROM execution_traces_archive WHERE root_id = :id
LIMIT 1;

-- Two statements, since most databases have nothing of the task in the archive, where it has no index.
-- name: newest_of_task
SELECT root_id FROM execution_traces WHERE task_id = :task ORDER BY started_at DESC, correlation_id DESC LIMIT 1;

-- name: newest_archived_of_task
SELECT root_id FROM execution_traces_archive WHERE task_id = :task ORDER BY started_at DESC, correlation_id DESC LIMIT 1;

-- name: executions
SELECT
  correlation_id AS id, root_id, parent_id, kind, name, agent_role, task_id, subtask_id, agent_iteration AS iteration,
  session_id, user_id, environment, release, source, started_at, completed_at, duration_ms, status, error_type,
  error_message, context, tags, usage, input, output, prompt_text
FROM execution_traces
WHERE root_id = :root
UNION ALL
SELECT
  correlation_id AS id, root_id, parent_id, kind, name, agent_role, task_id, subtask_id, agent_iteration AS iteration,
  session_id, user_id, environment, release, source, started_at, completed_at, duration_ms, status, error_type,
  error_message, context, tags, usage, input, output, prompt_text
FROM execution_traces_archive
WHERE root_id = :root
  AND correlation_id NOT IN (SELECT correlation_id FROM execution_traces WHERE root_id = :root)
ORDER BY started_at, id;

-- name: metrics
SELECT
  correlation_id AS execution_id, metric_type AS type, metric_value AS value, metric_unit AS unit, llm_model AS model,
  llm_provider AS provider
FROM agent_cost_vector
WHERE correlation_id IN (
  SELECT correlation_id FROM execution_traces WHERE root_id = :root
  UNION SELECT correlation_id FROM execution_traces_archive WHERE root_id = :root
)
ORDER BY id;

-- The executions that events of a trace may refer to, for `{members}` below: also those that are known only as somebody's
-- parent, since one that still runs has no row yet.
-- name: members
SELECT correlation_id FROM execution_traces WHERE root_id = :root
UNION SELECT parent_id FROM execution_traces WHERE root_id = :root
UNION SELECT root_id FROM execution_traces WHERE root_id = :root
UNION SELECT correlation_id FROM execution_traces_archive WHERE root_id = :root
UNION SELECT parent_id FROM execution_traces_archive WHERE root_id = :root
UNION SELECT root_id FROM execution_traces_archive WHERE root_id = :root;

-- name: routing
SELECT
  decision.id, decision.correlation_id AS execution_id, user_request, decision.selected_agent, selection_reason,
  confidence_total, confidence_trigger, confidence_context, confidence_capability, confidence_historical, alternatives,
  routing_strategy, decision.cache_hit, routing_duration_ms AS duration_ms, created_at AS decided_at, actual_success,
  actual_quality_score AS actual_quality, prediction_error
FROM agent_routing_decisions AS decision
LEFT JOIN router_performance_metrics AS metric ON metric.id = decision.id
WHERE decision.correlation_id IN ({members})
ORDER BY created_at, decision.id;

-- name: hooks
SELECT
  execution_id AS id, correlation_id AS execution_id, hook_type, tool_name, hook_script, started_at, completed_at,
  duration_ms, status, quality_gates_validated AS gates, intelligence_functions_executed AS gathered, error_message,
  parent_id
FROM hook_executions
WHERE correlation_id IN ({members})
ORDER BY started_at, id;

-- name: endpoints
SELECT
  id, correlation_id AS execution_id, service_name AS service, http_method AS method, endpoint_path AS path,
  response_status AS status, success, started_at, completed_at, duration_ms, retry_count AS retries, error_type,
  error_message, hook_execution_id AS hook_id
FROM endpoint_calls
WHERE correlation_id IN ({members})
ORDER BY started_at, id;

-- name: transformations
SELECT
  id, correlation_id AS execution_id, event_type, source_agent, target_agent, transformation_reason AS reason,
  parent_event_id, quality_score, success, started_at, completed_at, total_execution_duration_ms AS duration_ms,
  error_type, error_message
FROM agent_transformation_events
WHERE correlation_id IN ({members})
ORDER BY started_at, id;
