-- What the panels of the dashboard "Cost and usage" ask.

-- name: cost
SELECT sum(metric_value) AS "Cost" FROM agent_cost_vector
WHERE metric_type = 'API_Cost' AND {spent}

-- name: tokens
SELECT
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS "In",
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS "Out"
FROM agent_cost_vector
WHERE metric_type IN ('Tokens_In', 'Tokens_Out') AND {spent}

-- name: cache_share
SELECT
  coalesce(sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Cache_Read'), 0)
    / nullif(sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In'), 0) AS "Out of a cache"
FROM agent_cost_vector
WHERE metric_type IN ('Tokens_In', 'Tokens_Cache_Read') AND {spent}

-- name: calls
SELECT
  count(*) FILTER (WHERE metric_type = 'Latency') AS "Agent runs",
  count(*) FILTER (WHERE metric_type = 'Tokens_In') AS "Model calls"
FROM agent_cost_vector
WHERE metric_type IN ('Latency', 'Tokens_In') AND {spent}

-- name: cost_per_success
WITH ended AS MATERIALIZED (
  SELECT task_id, status FROM task_metadata
  WHERE status IN ('completed', 'failed') AND coalesce(completed_at, created_at) BETWEEN $__timeFrom() AND $__timeTo()
    AND {project} AND {user}
)
SELECT
  (SELECT sum(metric_value) FROM agent_cost_vector
    WHERE metric_type = 'API_Cost' AND task_id IN (SELECT task_id FROM ended))
  / nullif((SELECT count(*) FROM ended WHERE status = 'completed'), 0) AS "Cost per completed task"

-- name: cost_by_role_over_time
SELECT $__timeGroupAlias(timestamp, $__interval), agent_role AS metric, sum(metric_value) AS value
FROM agent_cost_vector
WHERE metric_type = 'API_Cost' AND {spent}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: cost_by_model_over_time
SELECT $__timeGroupAlias(timestamp, $__interval), coalesce(llm_model, 'no model') AS metric, sum(metric_value) AS value
FROM agent_cost_vector
WHERE metric_type = 'API_Cost' AND {spent}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: tokens_over_time
SELECT $__timeGroupAlias(timestamp, $__interval),
  CASE metric_type WHEN 'Tokens_In' THEN 'In' WHEN 'Tokens_Out' THEN 'Out' WHEN 'Tokens_Cache_Read' THEN 'Out of a cache'
    WHEN 'Tokens_Cache_Write' THEN 'Into a cache' ELSE 'Reasoning' END AS metric,
  sum(metric_value) AS value
FROM agent_cost_vector
WHERE metric_type IN ('Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write', 'Tokens_Reasoning')
  AND {spent}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: calls_over_time
SELECT $__timeGroupAlias(timestamp, $__interval),
  CASE metric_type WHEN 'Tokens_In' THEN 'Model calls' WHEN 'Tool_Calls' THEN 'Tool calls' ELSE 'Retries' END AS metric,
  CASE metric_type WHEN 'Tokens_In' THEN count(*) ELSE sum(metric_value) END AS value
FROM agent_cost_vector
WHERE metric_type IN ('Tokens_In', 'Tool_Calls', 'Retries') AND {spent}
GROUP BY 1, 2, metric_type
ORDER BY 1, 2

-- name: spending
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS "Cost",
  count(*) FILTER (WHERE metric_type = 'Tokens_In') AS "Model calls",
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS "Tokens in",
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS "Tokens out",
  coalesce(sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Cache_Read'), 0)
    / nullif(sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In'), 0) AS "Out of a cache"
FROM agent_cost_vector
WHERE metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read') AND {spent}

-- name: by_role
SELECT agent_role AS "Role", {spending}
GROUP BY agent_role
ORDER BY "Cost" DESC NULLS LAST, "Role"

-- name: by_model
SELECT llm_model AS "Model", llm_provider AS "Provider", {spending} AND llm_model IS NOT NULL
GROUP BY llm_model, llm_provider
ORDER BY "Cost" DESC NULLS LAST, "Model", "Provider"

-- name: by_project
SELECT coalesce(project_id, 'none') AS "Project", {spending}
GROUP BY project_id
ORDER BY "Cost" DESC NULLS LAST, "Project"

-- name: by_user
SELECT coalesce(user_id, 'none') AS "User", {spending}
GROUP BY user_id
ORDER BY "Cost" DESC NULLS LAST, "User"

-- name: dearest_tasks
SELECT
  spent.task_id AS "Task", task_type AS "Type", project_id AS "Project", status AS "Status",
  cost_usd AS "Cost", tokens AS "Tokens", actual_complexity AS "Complexity"
FROM (
  SELECT task_id,
    sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
    sum(metric_value) FILTER (WHERE metric_type <> 'API_Cost') AS tokens
  FROM agent_cost_vector
  WHERE metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out') AND {spent}
  GROUP BY task_id
  ORDER BY cost_usd DESC NULLS LAST, task_id
  LIMIT 20
) AS spent
LEFT JOIN task_metadata ON task_metadata.task_id = spent.task_id
ORDER BY cost_usd DESC NULLS LAST, spent.task_id
