-- Where defects are put in and taken out, and what lets them through; both databases understand it.

-- name: found
created_at >= :since AND created_at < :until AND {project} AND {user} AND {worked}

-- name: list
SELECT
  defect_id, created_at, resolved_at, task_id, defect_type, severity, phase_injected, phase_removed, component_path,
  description, flagged_by_agent, validated_by_human, false_positive
FROM defect_log AS asked
WHERE {found}
ORDER BY created_at DESC, defect_id
LIMIT coalesce(CAST(:limit AS bigint), 100);

-- name: by_type
SELECT
  defect_type, count(*) AS defects,
  count(*) FILTER (WHERE severity = 'Critical') AS critical,
  count(*) FILTER (WHERE severity = 'High') AS high,
  count(*) FILTER (WHERE severity = 'Medium') AS medium,
  count(*) FILTER (WHERE severity = 'Low') AS low,
  count(*) FILTER (WHERE resolved_at IS NULL) AS unresolved,
  {fix_usd} AS fix_cost_usd, {fix_ms} AS fix_ms
FROM defect_log AS asked
WHERE NOT coalesce(false_positive, false) AND {found}
GROUP BY defect_type
ORDER BY defects DESC, defect_type;

-- name: by_phase
SELECT phase_injected, phase_removed, count(*) AS defects
FROM defect_log AS asked
WHERE NOT coalesce(false_positive, false) AND {found}
GROUP BY phase_injected, phase_removed;

-- The two that follow are parts of questions below, and of what Grafana asks.
-- name: reviewed
phases (phase, ordinal) AS (
  VALUES ('Planning', 1), ('Design', 2), ('DesignReview', 3), ('Code', 4), ('CodeReview', 5), ('Test', 6),
         ('Postmortem', 7)
), known AS (
  SELECT
    injected.ordinal AS put_in, removed.ordinal AS taken_out, coalesce(flagged_by_agent, false) AS flagged,
    coalesce(validated_by_human, false) AS validated, coalesce(false_positive, false) AS wrong
  FROM defect_log AS asked
  JOIN phases AS injected ON injected.phase = phase_injected
  JOIN phases AS removed ON removed.phase = phase_removed
  WHERE {found}
), reviewed AS (
  SELECT
    review.phase AS review_phase, ordinal,
    count(*) FILTER (WHERE taken_out = ordinal AND flagged AND validated AND NOT wrong) AS true_positives,
    count(*) FILTER (WHERE taken_out = ordinal AND flagged AND wrong) AS false_positives,
    count(*) FILTER (WHERE taken_out = ordinal AND flagged AND NOT validated AND NOT wrong) AS unvalidated,
    count(*) FILTER (WHERE put_in < ordinal AND taken_out > ordinal AND NOT wrong) AS escapes
  FROM phases AS review
  LEFT JOIN known ON taken_out >= ordinal
  WHERE review.phase IN ('DesignReview', 'CodeReview')
  GROUP BY review.phase, ordinal
)

-- name: components
defects AS (
  SELECT component_path, task_id, severity
  FROM defect_log AS asked
  WHERE component_path IS NOT NULL AND NOT coalesce(false_positive, false) AND {found}
), touched AS (
  SELECT part.value AS component_path, asked.task_id
  FROM task_metadata AS asked, {parts}
  WHERE {found}
  UNION
  SELECT component_path, task_id FROM defects
), worked AS (
  SELECT component_path, count(*) AS tasks, sum(coalesce(actual_complexity, estimated_complexity)) AS complexity
  FROM touched LEFT JOIN task_metadata AS task ON task.task_id = touched.task_id
  GROUP BY component_path
), counted AS (
  SELECT component_path, count(*) AS defects, count(*) FILTER (WHERE severity IN ('Critical', 'High')) AS severe_defects
  FROM defects
  GROUP BY component_path
)

-- name: reviews
WITH {reviewed}
SELECT review_phase, true_positives, false_positives, unvalidated, escapes
FROM reviewed
ORDER BY ordinal;

-- name: by_component
WITH {components}
SELECT
  worked.component_path, tasks, complexity, coalesce(defects, 0) AS defects,
  coalesce(severe_defects, 0) AS severe_defects
FROM worked LEFT JOIN counted ON counted.component_path = worked.component_path;
