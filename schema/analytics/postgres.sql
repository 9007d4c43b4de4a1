-- What PostgreSQL says in its own way; parts of questions, not statements.

-- name: day
execution_date

-- name: usd
sum(metric_value)

-- name: ms
sum(round(metric_value, 6))

-- name: average
CAST(sum(round(duration_ms, 6)) * 1000000 AS double precision) / nullif(count(duration_ms), 0) / 1000000

-- name: parts
unnest(task.components_affected) AS part (value)

-- name: fix_usd
sum(CASE jsonb_typeof(effort_to_fix_json -> 'api_cost_usd') WHEN 'number'
  THEN round((effort_to_fix_json ->> 'api_cost_usd')::numeric, 10) END)

-- name: fix_ms
sum(CASE jsonb_typeof(effort_to_fix_json -> 'latency_ms') WHEN 'number'
  THEN round((effort_to_fix_json ->> 'latency_ms')::numeric, 6) END)

-- name: started_day
(started_at AT TIME ZONE 'UTC')::date

-- name: among_ids
IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(CAST(:ids AS text) AS json)))
