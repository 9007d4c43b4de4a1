-- One task: what it was thought to take and took, what ran for it, what was wrong with it; both databases understand it.

-- name: task
SELECT
  task_id, project_id, task_type, task_description AS description, user_id, status, bootstrap_phase,
  created_at, started_at, completed_at, estimated_complexity, actual_complexity,
  estimated_cost_vector_json AS estimated, actual_cost_vector_json AS actual, defect_count, human_reviewed
FROM task_metadata
WHERE task_id = :task_id;

-- name: executions
SELECT
  ran.correlation_id AS id, root_id, parent_id, kind, name, agent_role, started_at, duration_ms, status, error_type,
  error_message, cost_usd, tokens
FROM execution_traces AS ran
LEFT JOIN (
  SELECT
    correlation_id AS spender, {usd} FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
    sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type <> 'API_Cost') AS tokens
  FROM agent_cost_vector
  WHERE task_id = :task_id AND metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out')
  GROUP BY correlation_id
) AS spent ON spender = ran.correlation_id
WHERE ran.task_id = :task_id
ORDER BY started_at, duration_ms DESC NULLS FIRST, ran.correlation_id
LIMIT coalesce(CAST(:limit AS bigint), 200);

-- name: defects
SELECT
  defect_id, created_at, resolved_at, task_id, defect_type, severity, phase_injected, phase_removed, component_path,
  description, flagged_by_agent, validated_by_human, false_positive
FROM defect_log
WHERE task_id = :task_id
ORDER BY created_at, defect_id;
