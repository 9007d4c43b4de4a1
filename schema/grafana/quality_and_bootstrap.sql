-- What the panels of the dashboard "Quality and bootstrap" ask. False positives are no defects.

-- name: found
$__timeFilter(created_at) AND {project} AND {user}

-- name: defects
SELECT count(*) AS "Defects", count(*) FILTER (WHERE resolved_at IS NULL) AS "Unresolved"
FROM defect_log
WHERE NOT coalesce(false_positive, false) AND {found}

-- name: fix_cost
SELECT sum(CASE jsonb_typeof(effort_to_fix_json -> 'api_cost_usd') WHEN 'number'
    THEN (effort_to_fix_json ->> 'api_cost_usd')::numeric END) AS "Cost of fixes"
FROM defect_log
WHERE NOT coalesce(false_positive, false) AND {found}

-- name: ended_tasks
SELECT
  count(*) FILTER (WHERE status = 'completed') AS "Completed", count(*) FILTER (WHERE status = 'failed') AS "Failed"
FROM task_metadata
WHERE coalesce(completed_at, created_at) BETWEEN $__timeFrom() AND $__timeTo() AND {project} AND {user}

-- name: density
SELECT sum(defect_count)::float8 / nullif(sum(coalesce(actual_complexity, estimated_complexity)), 0) AS "Defects per unit"
FROM task_metadata
WHERE status = 'completed' AND {found}

-- name: defects_over_time
SELECT $__timeGroupAlias(created_at, $__interval), severity AS metric, count(*) AS value
FROM defect_log
WHERE NOT coalesce(false_positive, false) AND {found}
GROUP BY 1, 2
ORDER BY 1, array_position(ARRAY['Critical', 'High', 'Medium', 'Low'], severity::text)

-- name: pareto
SELECT
  defect_type AS "Type", count(*) AS "Defects",
  sum(count(*)) OVER (ORDER BY count(*) DESC, defect_type)::float8 / sum(count(*)) OVER () AS "Cumulative share",
  count(*) FILTER (WHERE severity = 'Critical') AS "Critical",
  count(*) FILTER (WHERE severity = 'High') AS "High",
  count(*) FILTER (WHERE severity = 'Medium') AS "Medium",
  count(*) FILTER (WHERE severity = 'Low') AS "Low",
  count(*) FILTER (WHERE resolved_at IS NULL) AS "Unresolved"
FROM defect_log
WHERE NOT coalesce(false_positive, false) AND {found}
GROUP BY defect_type
ORDER BY "Defects" DESC, defect_type

-- name: phase_matrix
SELECT
  phase_injected AS "Put in",
  count(*) FILTER (WHERE phase_removed = 'Planning') AS "Planning",
  count(*) FILTER (WHERE phase_removed = 'Design') AS "Design",
  count(*) FILTER (WHERE phase_removed = 'DesignReview') AS "DesignReview",
  count(*) FILTER (WHERE phase_removed = 'Code') AS "Code",
  count(*) FILTER (WHERE phase_removed = 'CodeReview') AS "CodeReview",
  count(*) FILTER (WHERE phase_removed = 'Test') AS "Test",
  count(*) FILTER (WHERE phase_removed = 'Postmortem') AS "Postmortem",
  count(*) FILTER (WHERE phase_removed NOT IN ('Planning', 'Design', 'DesignReview', 'Code', 'CodeReview', 'Test',
    'Postmortem')) AS "Other",
  count(*) AS "All"
FROM defect_log
WHERE NOT coalesce(false_positive, false) AND {found}
GROUP BY phase_injected
ORDER BY array_position(ARRAY['Planning', 'Design', 'DesignReview', 'Code', 'CodeReview', 'Test', 'Postmortem'],
  phase_injected::text), phase_injected

-- name: reviews
WITH {reviewed}
SELECT
  review_phase AS "Review", true_positives AS "Right", false_positives AS "Wrong", unvalidated AS "Not judged",
  escapes AS "Escaped",
  true_positives::float8 / nullif(true_positives + false_positives, 0) AS "Right share",
  escapes::float8 / nullif(true_positives + escapes, 0) AS "Escaped share"
FROM reviewed
ORDER BY ordinal

-- name: by_component
WITH {components}
SELECT
  worked.component_path AS "Component", coalesce(defects, 0) AS "Defects", coalesce(severe_defects, 0) AS "Critical or high",
  tasks AS "Tasks", complexity AS "Complexity", coalesce(defects, 0)::float8 / nullif(complexity, 0) AS "Defects per unit"
FROM worked LEFT JOIN counted ON counted.component_path = worked.component_path
ORDER BY "Defects per unit" DESC NULLS LAST, "Defects" DESC, "Component"
LIMIT 50

-- What was thought and what it took, of completed tasks with both; what is no number is left out.
-- name: estimated
SELECT
  created_at, task_id, task_type, estimated_complexity, actual_complexity,
  jsonb_path_query_first(estimated_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::float8 AS thought_ms,
  jsonb_path_query_first(actual_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::float8 AS took_ms,
  jsonb_path_query_first(estimated_cost_vector_json, '$.tokens ? (@.type() == "number")')::float8 AS thought_tokens,
  jsonb_path_query_first(actual_cost_vector_json, '$.tokens ? (@.type() == "number")')::float8 AS took_tokens,
  jsonb_path_query_first(estimated_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::float8 AS thought_usd,
  jsonb_path_query_first(actual_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::float8 AS took_usd
FROM task_metadata
WHERE status = 'completed' AND estimated_cost_vector_json IS NOT NULL AND {found}

-- name: compared
SELECT created_at, figure, thought, took
FROM (
  {estimated}
) AS estimated
CROSS JOIN LATERAL (
  VALUES ('latency', thought_ms, took_ms), ('tokens', thought_tokens, took_tokens), ('cost', thought_usd, took_usd),
         ('complexity', estimated_complexity::float8, actual_complexity::float8)
) AS figures (figure, thought, took)
WHERE thought > 0 AND took > 0

-- name: estimate_error
SELECT
  avg(abs(thought - took) / took) FILTER (WHERE figure = 'complexity') AS "Complexity",
  avg(abs(thought - took) / took) FILTER (WHERE figure = 'latency') AS "Time",
  avg(abs(thought - took) / took) FILTER (WHERE figure = 'tokens') AS "Tokens",
  avg(abs(thought - took) / took) FILTER (WHERE figure = 'cost') AS "Cost"
FROM (
  {compared}
) AS compared

-- name: estimate_error_over_time
SELECT $__timeGroupAlias(created_at, $__interval), figure AS metric, avg(abs(thought - took) / took) AS value
FROM (
  {compared}
) AS compared
GROUP BY 1, 2
ORDER BY 1, 2

-- name: estimated_tasks
SELECT
  created_at AS "Created", task_id AS "Task", task_type AS "Type",
  estimated_complexity AS "Complexity, estimated", actual_complexity AS "Complexity, actual",
  thought_ms AS "Time, estimated", took_ms AS "Time, actual",
  thought_tokens AS "Tokens, estimated", took_tokens AS "Tokens, actual",
  thought_usd AS "Cost, estimated", took_usd AS "Cost, actual"
FROM (
  {estimated}
) AS estimated
ORDER BY created_at DESC, task_id
LIMIT 100

-- name: bootstrap_status
SELECT
  capability_name AS "Capability", capability_mode AS "Mode", primary_metric_name AS "Metric",
  primary_metric_value AS "Value", CASE metric_direction WHEN 'lower_is_better' THEN 'at most' ELSE 'at least' END AS "Aim",
  primary_metric_target AS "Target", CASE WHEN on_target THEN 'yes' ELSE 'no' END AS "On target",
  tasks_completed AS "Tasks", tasks_required_for_graduation AS "Tasks needed", graduation_notes AS "What is missing",
  measured_at AS "Measured"
FROM bootstrap_status
ORDER BY capability_name

-- name: bootstrap_values
SELECT measured_at AS "time", capability_name || ', ' || primary_metric_name AS metric, primary_metric_value AS value
FROM bootstrap_metrics
WHERE $__timeFilter(measured_at)
ORDER BY measured_at, metric

-- name: bootstrap_modes
SELECT measured_at AS "time", capability_name AS metric,
  array_position(ARRAY['Learning', 'Shadow', 'Autonomous'], capability_mode::text) AS value
FROM bootstrap_metrics
WHERE $__timeFilter(measured_at)
ORDER BY measured_at, metric
