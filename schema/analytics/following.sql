-- What is new among the executions; both databases understand it but for lists. `:name` marks a value.

-- name: columns
  correlation_id AS id, root_id, parent_id, kind, name, agent_role, task_id, user_id, started_at, completed_at,
  duration_ms, status, error_type, error_message, usage, context, updated_at

-- name: latest
SELECT {columns}
FROM execution_traces
ORDER BY started_at DESC, correlation_id DESC
LIMIT :most;

-- name: written
SELECT {columns}
FROM execution_traces
WHERE started_at >= :begun AND updated_at >= :since AND (updated_at, correlation_id) > (:at, :id)
ORDER BY updated_at, correlation_id
LIMIT :most;

-- name: running
SELECT {columns}
FROM execution_traces
WHERE status = 'in_progress'
ORDER BY started_at DESC, correlation_id DESC
LIMIT :most;

-- name: finished
SELECT {columns}
FROM execution_traces
WHERE correlation_id {among_ids} AND status <> 'in_progress'
ORDER BY completed_at, correlation_id;
