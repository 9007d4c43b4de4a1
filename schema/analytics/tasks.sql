-- What tasks were thought to take and what they took; both databases understand it.

-- name: list
SELECT
  task_id, project_id, task_type, task_description AS description, user_id, status, bootstrap_phase,
  created_at, started_at, completed_at, estimated_complexity, actual_complexity,
  estimated_cost_vector_json AS estimated, actual_cost_vector_json AS actual, defect_count, human_reviewed
FROM task_metadata AS asked
WHERE created_at >= :since AND created_at < :until AND {project} AND {user} AND {worked}
  AND (CAST(:status AS text) IS NULL OR status = :status)
  AND (CAST(:task_type AS text) IS NULL OR task_type = :task_type)
ORDER BY created_at DESC, task_id
LIMIT coalesce(CAST(:limit AS bigint), 100);

-- name: cost_per_success
SELECT
  project_id, task_type, count(*) AS tasks, count(*) FILTER (WHERE status = 'completed') AS successes,
  count(cost_usd) AS priced, sum(cost_usd) AS cost_usd
FROM task_metadata AS asked
LEFT JOIN (
  SELECT task_id AS paid_for, {usd} AS cost_usd FROM agent_cost_vector WHERE metric_type = 'API_Cost' GROUP BY task_id
) AS spent ON paid_for = task_id
WHERE status IN ('completed', 'failed')
  AND coalesce(completed_at, created_at) >= :since AND coalesce(completed_at, created_at) < :until
  AND {project} AND {user} AND {worked}
GROUP BY project_id, task_type
ORDER BY project_id NULLS FIRST, task_type NULLS FIRST;
