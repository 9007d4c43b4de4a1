-- Parts that several families of questions share. `:name` marks a value; a filter that was not given is NULL.

-- name: project
(CAST(:project AS text) IS NULL OR project_id = :project)

-- name: user
(CAST(:user AS text) IS NULL OR user_id = :user)

-- name: role
(CAST(:role AS text) IS NULL OR agent_role = :role)

-- name: model
(CAST(:model AS text) IS NULL OR llm_model = :model)

-- Of a task, or of what belongs to one; its table is called `asked`. Both together: that role used that model for it.
-- name: worked
(CAST(:role AS text) IS NULL AND CAST(:model AS text) IS NULL
  OR EXISTS (SELECT 1 FROM agent_cost_vector AS spent WHERE spent.task_id = asked.task_id AND {role} AND {model}))

-- name: at_that_time
timestamp >= :since AND timestamp < :until AND {on_these_days}

-- name: measured
{at_that_time} AND {project} AND {user} AND {role} AND {model}

-- name: executed
started_at >= :since AND started_at < :until AND {user} AND {role} AND {project_of_task}
  AND {model_called}

-- An execution called a model if a metric of it names the model, or one of what it called, with no other agent between:
-- from the calls upwards, each step found by the key. Nothing inside an execution begins before it does, so what began
-- before the asked time is not looked at. What `this` stands for SQLite has in each index. With DISTINCT PostgreSQL hashes
-- what is found: it expects too much of a recursion, and compared each row with each.
-- name: model_called
(CAST(:model AS text) IS NULL OR {this} IN (
  WITH RECURSIVE callers (this, caller, kind) AS (
    SELECT {this}, parent_id, kind
    FROM execution_traces AS called
    WHERE started_at >= :since AND EXISTS (SELECT 1 FROM agent_cost_vector AS spent
      WHERE spent.correlation_id = called.correlation_id AND llm_model = :model)
    UNION
    SELECT around.{this}, around.parent_id, around.kind
    FROM callers CROSS JOIN execution_traces AS around
    WHERE around.correlation_id = callers.caller AND (callers.kind IS NULL OR callers.kind <> 'agent')
  )
  SELECT DISTINCT this FROM callers))

-- name: project_of_task
(CAST(:project AS text) IS NULL OR task_id IN (SELECT task_id FROM task_metadata WHERE project_id = :project))

-- Of what belongs to an execution and has neither project nor user nor role nor model itself; its table is called `inside`.
-- name: in_traces
(CAST(:project AS text) IS NULL AND CAST(:user AS text) IS NULL AND CAST(:role AS text) IS NULL
    AND CAST(:model AS text) IS NULL
  OR EXISTS (SELECT 1 FROM execution_traces AS around WHERE around.correlation_id = inside.correlation_id
    AND {user} AND {role} AND {project_of_task} AND {model_called}))

-- Percentiles are values that occurred: the smallest of which it is true that so many per cent are not greater. A question
-- names its durations `runs (..., duration)`, counts the rows of each group as `counted`, numbers the rows of all groups in
-- one go as `placed`, and picks a few of them: the rows themselves are sorted once and never grouped.
-- name: counts
  count(*) AS held, count(duration) AS measured, {average} AS average_ms, max(duration) AS max_ms

-- The rows are brought together with their ranks by grouping: how SQLite joins the two depends on how many of them it
-- expects, and for each day of a year it compared every row with every rank.
-- name: picked
ranked AS MATERIALIZED (
  SELECT before, percent, before + (measured * percent + 99) / 100 AS place
  FROM counted CROSS JOIN (SELECT 50 AS percent UNION ALL SELECT 90 UNION ALL SELECT 95 UNION ALL SELECT 99) AS percents
  WHERE measured > 0
), found AS (
  SELECT
    max(before) AS behind, max(duration) AS duration, max(CASE percent WHEN 50 THEN 1 END) AS is_p50,
    max(CASE percent WHEN 90 THEN 1 END) AS is_p90, max(CASE percent WHEN 95 THEN 1 END) AS is_p95,
    max(CASE percent WHEN 99 THEN 1 END) AS is_p99
  FROM (
    SELECT place, before, percent, NULL AS duration FROM ranked
    UNION ALL
    SELECT place, NULL, NULL, duration FROM placed WHERE place IN (SELECT place FROM ranked)
  ) AS ranks_and_rows
  GROUP BY place
), picked AS MATERIALIZED (
  SELECT
    behind, min(duration) FILTER (WHERE is_p50 = 1) AS p50, min(duration) FILTER (WHERE is_p90 = 1) AS p90,
    min(duration) FILTER (WHERE is_p95 = 1) AS p95, min(duration) FILTER (WHERE is_p99 = 1) AS p99
  FROM found
  GROUP BY behind
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
