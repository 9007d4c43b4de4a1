-- Parts that several families of questions share. `:name` marks a value; a filter that was not given is NULL.

-- name: project
(CAST(:project AS text) IS NULL OR project_id = :project)

-- name: user
(CAST(:user AS text) IS NULL OR user_id = :user)

-- name: role
(CAST(:role AS text) IS NULL OR agent_role = :role)

-- name: model
(CAST(:model AS text) IS NULL OR llm_model = :model)

-- name: at_that_time
timestamp >= :since AND timestamp < :until AND {on_these_days}

-- name: measured
{at_that_time} AND {project} AND {user} AND {role} AND {model}

-- name: executed
started_at >= :since AND started_at < :until AND {user} AND {role} AND {project_of_task}

-- name: project_of_task
(CAST(:project AS text) IS NULL OR task_id IN (SELECT task_id FROM task_metadata WHERE project_id = :project))

-- Of what belongs to an execution and has neither project nor user nor role itself; its table is called `inside`.
-- name: in_traces
(CAST(:project AS text) IS NULL AND CAST(:user AS text) IS NULL AND CAST(:role AS text) IS NULL
  OR EXISTS (SELECT 1 FROM execution_traces AS around WHERE around.correlation_id = inside.correlation_id
    AND {user} AND {role} AND {project_of_task}))

-- Percentiles are values that occurred: the smallest of which it is true that so many per cent are not greater. A question
-- names its durations `runs (..., duration)`, counts the rows of each group as `counted`, numbers the rows of all groups in
-- one go as `placed`, and picks a few of them: the rows themselves are sorted once and never grouped.
-- name: counts
  count(*) AS held, count(duration) AS measured, {average} AS average_ms, max(duration) AS max_ms

-- name: picked
ranked AS MATERIALIZED (
  SELECT before, percent, before + (measured * percent + 99) / 100 AS place
  FROM counted CROSS JOIN (SELECT 50 AS percent UNION ALL SELECT 90 UNION ALL SELECT 95 UNION ALL SELECT 99) AS percents
  WHERE measured > 0
), few AS MATERIALIZED (
  SELECT place, duration FROM placed WHERE place IN (SELECT place FROM ranked)
), picked AS MATERIALIZED (
  SELECT
    before AS behind, min(duration) FILTER (WHERE percent = 50) AS p50, min(duration) FILTER (WHERE percent = 90) AS p90,
    min(duration) FILTER (WHERE percent = 95) AS p95, min(duration) FILTER (WHERE percent = 99) AS p99
  FROM ranked JOIN few ON few.place = ranked.place
  GROUP BY before
)

-- name: percentiles
LEFT JOIN picked ON behind = before

-- name: durations
  measured, average_ms, p50 AS p50_ms, p90 AS p90_ms, p95 AS p95_ms, p99 AS p99_ms, max_ms

-- name: outcomes
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
  count(*) FILTER (WHERE status = 'success') AS successes,
  count(*) FILTER (WHERE status = 'error') AS errors,
  count(*) FILTER (WHERE status = 'timeout') AS timeouts,
  count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
  count(*) FILTER (WHERE status = 'abandoned') AS abandoned
