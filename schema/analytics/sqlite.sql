-- What SQLite says in its own way; parts of questions, not statements. Money is kept as doubles, so it is added up as
-- whole numbers of 1e-10 USD, and time as whole nanoseconds: sums are exact, and the same in any order. What is so great
-- that a double no longer keeps that step stays a double, and makes one of the sum: else nonsense in one row would be an
-- integer overflow in every question.

-- name: day
substr(timestamp, 1, 10)

-- What stands before the asked columns in idx_cost_metric_time, behind the metric.
-- name: upto_role
substr(timestamp, 1, 10),

-- name: upto_model
{upto_role} agent_role, agent_version,

-- What the index is not in the order of is added up day by day: sorting ten million rows at once takes twice as long, and
-- hundreds of megabytes. A subquery can only return one value, so each day's sums come as JSON.
-- name: sums_by_project
{days_of_metrics}
SELECT
  json_extract(part.value, '$[0]') AS project_id, metric AS metric_type, json_extract(part.value, '$[1]') AS measured,
  json_extract(part.value, '$[2]') AS amount
FROM days CROSS JOIN json_each((
  SELECT json_group_array(json_array(project_id, measured, amount))
  FROM (SELECT project_id, {amounts} {of_one_day} GROUP BY project_id)
)) AS part

-- name: sums_by_user
{days_of_metrics}
SELECT
  json_extract(part.value, '$[0]') AS user_id, metric AS metric_type, json_extract(part.value, '$[1]') AS measured,
  json_extract(part.value, '$[2]') AS amount
FROM days CROSS JOIN json_each((
  SELECT json_group_array(json_array(user_id, measured, amount))
  FROM (SELECT user_id, {amounts} {of_one_day} GROUP BY user_id)
)) AS part

-- name: days_of_metrics
WITH RECURSIVE metrics (metric) AS (
  VALUES ('API_Cost'), ('Latency'), ('Tokens_In'), ('Tokens_Out'), ('Tokens_Cache_Read'), ('Tokens_Cache_Write'),
    ('Tokens_Reasoning'), ('Tool_Calls'), ('Retries')
), days (metric, day) AS (
  SELECT metric, (
    SELECT substr(timestamp, 1, 10) FROM agent_cost_vector
    WHERE metric_type = metric AND substr(timestamp, 1, 10) >= substr(:since, 1, 10)
    ORDER BY substr(timestamp, 1, 10) LIMIT 1
  )
  FROM metrics
  UNION ALL
  SELECT metric, (
    SELECT substr(timestamp, 1, 10) FROM agent_cost_vector
    WHERE metric_type = metric AND substr(timestamp, 1, 10) > day
    ORDER BY substr(timestamp, 1, 10) LIMIT 1
  )
  FROM days
  WHERE day < substr(:until, 1, 10)
)

-- name: of_one_day
FROM agent_cost_vector
WHERE metric_type = metric AND substr(timestamp, 1, 10) = day AND timestamp >= :since AND timestamp < :until
  AND {project} AND {user} AND {role} AND {model}

-- name: on_these_days
substr(timestamp, 1, 10) BETWEEN substr(:since, 1, 10) AND substr(:until, 1, 10)

-- name: exact_usd
CASE WHEN metric_value < 900000 THEN CAST(round(metric_value * 10000000000) AS INTEGER)
  ELSE metric_value * 10000000000 END

-- name: exact_ms
CASE WHEN metric_value < 9e9 THEN CAST(round(metric_value * 1000000) AS INTEGER) ELSE metric_value * 1000000 END

-- name: whole
CAST(round(metric_value) AS INTEGER)

-- name: usd
sum({exact_usd})

-- name: average
CAST(sum(CASE WHEN duration < 9e9 THEN CAST(round(duration * 1000000) AS INTEGER) ELSE duration * 1000000 END) AS REAL)
  / count(duration) / 1000000

-- name: parts
json_each(asked.components_affected) AS part

-- name: fix_usd
sum(CASE WHEN json_type(effort_to_fix_json, '$.api_cost_usd') IN ('integer', 'real') THEN
  CASE WHEN abs(json_extract(effort_to_fix_json, '$.api_cost_usd')) < 900000
    THEN CAST(round(json_extract(effort_to_fix_json, '$.api_cost_usd') * 10000000000) AS INTEGER)
    ELSE json_extract(effort_to_fix_json, '$.api_cost_usd') * 10000000000.0 END END)

-- name: fix_ms
sum(CASE WHEN json_type(effort_to_fix_json, '$.latency_ms') IN ('integer', 'real') THEN
  CASE WHEN abs(json_extract(effort_to_fix_json, '$.latency_ms')) < 9e9
    THEN CAST(round(json_extract(effort_to_fix_json, '$.latency_ms') * 1000000) AS INTEGER)
    ELSE json_extract(effort_to_fix_json, '$.latency_ms') * 1000000.0 END END)

-- name: started_day
substr(started_at, 1, 10)

-- name: this
rowid

-- name: among_ids
IN (SELECT value FROM json_each(:ids))
