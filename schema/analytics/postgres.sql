-- What PostgreSQL says in its own way; parts of questions, not statements.

-- name: day
execution_date

-- PostgreSQL groups by hashing, in no order, and finds times by their index.
-- name: upto_role

-- name: upto_model

-- name: sums_by_project
SELECT project_id, {sums} GROUP BY metric_type, project_id

-- name: sums_by_user
SELECT user_id, {sums} GROUP BY metric_type, user_id

-- name: on_these_days
true

-- name: exact_usd
metric_value

-- name: exact_ms
round(metric_value, 6)

-- name: whole
round(metric_value)

-- name: usd
sum({exact_usd})

-- name: average
CAST(sum(round(duration, 6)) * 1000000 AS double precision) / nullif(count(duration), 0) / 1000000

-- name: parts
unnest(asked.components_affected) AS part (value)

-- name: fix_usd
sum(CASE jsonb_typeof(effort_to_fix_json -> 'api_cost_usd') WHEN 'number'
  THEN round((effort_to_fix_json ->> 'api_cost_usd')::numeric, 10) END)

-- name: fix_ms
sum(CASE jsonb_typeof(effort_to_fix_json -> 'latency_ms') WHEN 'number'
  THEN round((effort_to_fix_json ->> 'latency_ms')::numeric, 6) END)

-- name: started_day
(started_at AT TIME ZONE 'UTC')::date

-- name: this
correlation_id

-- name: among_ids
IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(CAST(:ids AS text) AS json)))
