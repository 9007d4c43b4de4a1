-- Parts that several families of questions share. `:name` marks a value; a filter that was not given is NULL.

-- name: project
(CAST(:project AS text) IS NULL OR project_id = :project)

-- name: user
(CAST(:user AS text) IS NULL OR user_id = :user)

-- name: role
(CAST(:role AS text) IS NULL OR agent_role = :role)

-- name: model
(CAST(:model AS text) IS NULL OR llm_model = :model)

-- name: measured
timestamp >= :since AND timestamp < :until AND {project} AND {user} AND {role} AND {model}

-- name: executed
started_at >= :since AND started_at < :until AND {user} AND {role} AND {project_of_task}

-- name: project_of_task
(CAST(:project AS text) IS NULL OR task_id IN (SELECT task_id FROM task_metadata WHERE project_id = :project))

-- Of what belongs to an execution and has neither project nor user nor role itself; its table is called `inside`.
-- name: in_traces
(CAST(:project AS text) IS NULL AND CAST(:user AS text) IS NULL AND CAST(:role AS text) IS NULL
  OR EXISTS (SELECT 1 FROM execution_traces AS around WHERE around.correlation_id = inside.correlation_id
    AND {user} AND {role} AND {project_of_task}))

-- Percentiles are values that occurred: the smallest of which it is true that so many per cent are not greater.
-- name: p50
min(duration_ms) FILTER (WHERE place = (total * 50 + 99) / 100)

-- name: p90
min(duration_ms) FILTER (WHERE place = (total * 90 + 99) / 100)

-- name: p95
min(duration_ms) FILTER (WHERE place = (total * 95 + 99) / 100)

-- name: p99
min(duration_ms) FILTER (WHERE place = (total * 99 + 99) / 100)

-- name: durations
  coalesce(max(total), 0) AS measured, {average} AS average_ms, {p50} AS p50_ms, {p90} AS p90_ms, {p95} AS p95_ms, {p99} AS p99_ms,
  max(duration_ms) AS max_ms

-- name: outcomes
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
  count(*) FILTER (WHERE status = 'success') AS successes,
  count(*) FILTER (WHERE status = 'error') AS errors,
  count(*) FILTER (WHERE status = 'timeout') AS timeouts,
  count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
  count(*) FILTER (WHERE status = 'abandoned') AS abandoned
