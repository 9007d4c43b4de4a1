-- What PROBE-AI learns from, and what became of its estimates; both databases understand it. `:name` marks a value.

-- name: finished_tasks
SELECT
  task_id, project_id, task_type, completed_at, estimated_complexity, estimated_latency_ms, estimated_tokens,
  estimated_api_cost_usd, actual_latency_ms, actual_tokens, actual_api_cost_usd
FROM probe_training_data
WHERE (cast(:project_id AS text) IS NULL OR project_id = cast(:project_id AS text))
  AND (cast(:task_type AS text) IS NULL OR task_type = cast(:task_type AS text))
  AND (completed_at >= :since OR (completed_at IS NULL AND :always))
ORDER BY completed_at DESC NULLS LAST, task_id DESC
LIMIT :most;

-- name: compared_task
SELECT
  task_id, status, estimated_complexity, actual_complexity, estimated_cost_vector_json AS estimated,
  actual_cost_vector_json AS actual, metadata
FROM task_metadata
WHERE task_id = :task_id;
