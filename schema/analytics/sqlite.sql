-- What SQLite says in its own way; parts of questions, not statements. Money is kept as doubles, so it is added up as
-- whole numbers of 1e-10 USD, and time as whole nanoseconds: sums are exact, and the same in any order.

-- name: day
substr(timestamp, 1, 10)

-- What stands before the asked columns in idx_cost_metric_time, behind the metric.
-- name: upto_role
substr(timestamp, 1, 10),

-- name: upto_model
{upto_role} agent_role, agent_version,

-- name: on_these_days
substr(timestamp, 1, 10) BETWEEN substr(:since, 1, 10) AND substr(:until, 1, 10)

-- name: exact_usd
CAST(round(metric_value * 10000000000) AS INTEGER)

-- name: exact_ms
CAST(round(metric_value * 1000000) AS INTEGER)

-- name: whole
CAST(round(metric_value) AS INTEGER)

-- name: usd
sum({exact_usd})

-- name: average
CAST(sum(CAST(round(duration * 1000000) AS INTEGER)) AS REAL) / count(duration) / 1000000

-- name: parts
json_each(task.components_affected) AS part

-- name: fix_usd
sum(CAST(round(CASE WHEN json_type(effort_to_fix_json, '$.api_cost_usd') IN ('integer', 'real')
  THEN json_extract(effort_to_fix_json, '$.api_cost_usd') END * 10000000000) AS INTEGER))

-- name: fix_ms
sum(CAST(round(CASE WHEN json_type(effort_to_fix_json, '$.latency_ms') IN ('integer', 'real')
  THEN json_extract(effort_to_fix_json, '$.latency_ms') END * 1000000) AS INTEGER))

-- name: started_day
substr(started_at, 1, 10)

-- name: among_ids
IN (SELECT value FROM json_each(:ids))
