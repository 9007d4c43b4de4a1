-- The views that people and dashboards read. Percentiles are values that occurred: the smallest below which lie 95 %
-- of all; SQLite has no such function, so the rows are ranked first.

-- What each role cost per day. Cost is NULL, not 0, where no price was known.
CREATE VIEW daily_cost_summary AS
SELECT
  execution_date AS day, agent_role, project_id,
  count(DISTINCT correlation_id) AS executions,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms
FROM agent_cost_vector
GROUP BY execution_date, agent_role, project_id;

-- The day stands beside the hour because it is what the index is on.
CREATE VIEW hourly_agent_performance AS
SELECT
  day, hour, agent_role,
  count(DISTINCT task_id) AS tasks,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms,
  min(metric_value) FILTER (WHERE metric_type = 'Latency' AND place >= 0.95) AS p95_latency_ms,
  sum(metric_value) FILTER (WHERE metric_type = 'Retries') AS retries
FROM (
  SELECT
    execution_date AS day, substr(timestamp, 1, 13) || ':00:00.000000' AS hour, agent_role, task_id, metric_type,
    metric_value,
    cume_dist() OVER (PARTITION BY execution_date, substr(timestamp, 1, 13), agent_role, metric_type
      ORDER BY metric_value) AS place
  FROM agent_cost_vector
)
GROUP BY day, hour, agent_role;

CREATE VIEW probe_training_data AS
SELECT
  task_id, project_id, task_type, bootstrap_phase, completed_at, semantic_units_json,
  estimated_complexity, actual_complexity,
  -- anything that is no number is left out instead of failing the whole view
  CASE WHEN json_type(estimated_cost_vector_json, '$.latency_ms') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.latency_ms') END AS estimated_latency_ms,
  CASE WHEN json_type(estimated_cost_vector_json, '$.tokens') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.tokens') END AS estimated_tokens,
  CASE WHEN json_type(estimated_cost_vector_json, '$.api_cost_usd') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.api_cost_usd') END AS estimated_api_cost_usd,
  CASE WHEN json_type(actual_cost_vector_json, '$.latency_ms') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.latency_ms') END AS actual_latency_ms,
  CASE WHEN json_type(actual_cost_vector_json, '$.tokens') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.tokens') END AS actual_tokens,
  CASE WHEN json_type(actual_cost_vector_json, '$.api_cost_usd') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.api_cost_usd') END AS actual_api_cost_usd,
  defect_count, defect_density
FROM task_metadata
WHERE status = 'completed' AND estimated_complexity IS NOT NULL AND actual_cost_vector_json IS NOT NULL;

CREATE VIEW review_agent_effectiveness AS
WITH phases (phase, place) AS (
  VALUES ('Planning', 1), ('Design', 2), ('DesignReview', 3), ('Code', 4), ('CodeReview', 5), ('Test', 6),
         ('Postmortem', 7)
), judged AS (
  SELECT
    review.phase AS review_phase, review.place,
    removed.place = review.place AND defect.flagged_by_agent AND defect.validated_by_human
      AND NOT coalesce(defect.false_positive, false) AS true_positive,
    removed.place = review.place AND defect.flagged_by_agent AND defect.false_positive AS false_positive,
    removed.place = review.place AND defect.flagged_by_agent AND NOT coalesce(defect.validated_by_human, false)
      AND NOT coalesce(defect.false_positive, false) AS unvalidated,
    injected.place < review.place AND removed.place > review.place
      AND NOT coalesce(defect.false_positive, false) AS escaped
  FROM phases AS review
  LEFT JOIN (
    defect_log AS defect
    JOIN phases AS injected ON injected.phase = defect.phase_injected
    JOIN phases AS removed ON removed.phase = defect.phase_removed
  ) ON removed.place >= review.place
  WHERE review.phase IN ('DesignReview', 'CodeReview')
), counted AS (
  SELECT
    review_phase, place,
    count(*) FILTER (WHERE true_positive) AS true_positives,
    count(*) FILTER (WHERE false_positive) AS false_positives,
    count(*) FILTER (WHERE unvalidated) AS unvalidated,
    count(*) FILTER (WHERE escaped) AS escapes
  FROM judged
  GROUP BY review_phase, place
)
SELECT
  review_phase, true_positives, false_positives, unvalidated, escapes,
  1.0 * true_positives / nullif(true_positives + false_positives, 0) AS true_positive_rate,
  1.0 * false_positives / nullif(true_positives + false_positives, 0) AS false_positive_rate,
  1.0 * escapes / nullif(true_positives + escapes, 0) AS escape_rate
FROM counted
ORDER BY place;

CREATE VIEW defect_density_by_component AS
WITH touched AS (
  SELECT part.value AS component_path, task.task_id
  FROM task_metadata AS task, json_each(task.components_affected) AS part
  UNION
  SELECT component_path, task_id FROM defect_log
  WHERE component_path IS NOT NULL AND NOT coalesce(false_positive, false)
), worked AS (
  SELECT touched.component_path, count(*) AS tasks,
    sum(coalesce(task.actual_complexity, task.estimated_complexity)) AS complexity
  FROM touched LEFT JOIN task_metadata AS task ON task.task_id = touched.task_id
  GROUP BY touched.component_path
), found AS (
  SELECT component_path, count(*) AS defects,
    count(*) FILTER (WHERE severity IN ('Critical', 'High')) AS severe_defects
  FROM defect_log
  WHERE component_path IS NOT NULL AND NOT coalesce(false_positive, false)
  GROUP BY component_path
)
SELECT
  worked.component_path, worked.tasks, worked.complexity, coalesce(found.defects, 0) AS defects,
  coalesce(found.severe_defects, 0) AS severe_defects,
  1.0 * coalesce(found.defects, 0) / nullif(worked.complexity, 0) AS defect_density
FROM worked LEFT JOIN found ON found.component_path = worked.component_path;

CREATE VIEW bootstrap_status AS
SELECT
  capability_name, capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name,
  primary_metric_value, primary_metric_target, metric_direction,
  CASE metric_direction WHEN 'lower_is_better' THEN primary_metric_value <= primary_metric_target
    ELSE primary_metric_value >= primary_metric_target END AS on_target,
  tasks_completed >= tasks_required_for_graduation AS enough_tasks,
  graduation_criteria_met, graduation_notes, measured_at
FROM (
  SELECT *, row_number() OVER (PARTITION BY capability_name ORDER BY measured_at DESC, id DESC) AS place
  FROM bootstrap_metrics
) AS newest
WHERE place = 1;

-- One row per trace, at its root, or where the root lies elsewhere at its earliest execution here.
CREATE VIEW trace_summary AS
SELECT
  entry.root_id, entry.correlation_id, entry.session_id, entry.user_id, entry.task_id, entry.source, entry.name,
  entry.environment, entry.started_at, entry.completed_at, entry.duration_ms, entry.status,
  (SELECT count(*) FROM execution_traces AS member WHERE member.root_id = entry.root_id) AS executions,
  (SELECT count(*) FROM execution_traces AS member
   WHERE member.root_id = entry.root_id AND member.kind = 'agent') AS agents,
  (SELECT count(*) FROM hook_executions AS hook WHERE hook.correlation_id IN (
     SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
     UNION ALL SELECT entry.root_id)) AS hooks,
  (SELECT count(*) FROM endpoint_calls AS call WHERE call.correlation_id IN (
     SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
     UNION ALL SELECT entry.root_id)) AS endpoints,
  (SELECT sum(cost.metric_value) FROM execution_traces AS member
   JOIN agent_cost_vector AS cost ON cost.correlation_id = member.correlation_id
   WHERE member.root_id = entry.root_id AND cost.metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens,
  (SELECT sum(cost.metric_value) FROM execution_traces AS member
   JOIN agent_cost_vector AS cost ON cost.correlation_id = member.correlation_id
   WHERE member.root_id = entry.root_id AND cost.metric_type = 'API_Cost') AS api_cost_usd
FROM execution_traces AS entry
WHERE entry.correlation_id = entry.root_id
  OR (NOT EXISTS (SELECT 1 FROM execution_traces AS root WHERE root.correlation_id = entry.root_id)
    AND entry.correlation_id = (
      SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
      ORDER BY member.started_at, member.correlation_id LIMIT 1));

CREATE VIEW agent_performance AS
WITH runs AS (
  SELECT
    agent_role,
    count(*) FILTER (WHERE status <> 'in_progress') AS executions,
    count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
    count(*) FILTER (WHERE status = 'success') AS successes,
    avg(duration_ms) AS average_duration_ms,
    min(duration_ms) FILTER (WHERE place >= 0.5) AS median_duration_ms,
    min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms
  FROM (
    SELECT agent_role, status, duration_ms,
      cume_dist() OVER (PARTITION BY agent_role, duration_ms IS NULL ORDER BY duration_ms) AS place
    FROM execution_traces
    WHERE kind = 'agent'
  )
  GROUP BY agent_role
), costs AS (
  SELECT agent_role, sum(metric_value) AS api_cost_usd
  FROM agent_cost_vector
  WHERE metric_type = 'API_Cost'
  GROUP BY agent_role
)
SELECT
  runs.agent_role, runs.executions, runs.in_progress, runs.successes,
  1.0 * runs.successes / nullif(runs.executions, 0) AS success_rate,
  runs.average_duration_ms, runs.median_duration_ms, runs.p95_duration_ms,
  costs.api_cost_usd, costs.api_cost_usd / nullif(runs.successes, 0) AS cost_per_success_usd
FROM runs LEFT JOIN costs ON costs.agent_role = runs.agent_role;

CREATE VIEW hook_performance_summary AS
SELECT
  hook_type, tool_name,
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  1.0 * count(*) FILTER (WHERE success) / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0) AS success_rate,
  avg(duration_ms) AS average_duration_ms,
  min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms,
  max(started_at) AS last_started_at
FROM (
  SELECT hook_type, tool_name, status, success, duration_ms, started_at,
    cume_dist() OVER (PARTITION BY hook_type, tool_name, duration_ms IS NULL ORDER BY duration_ms) AS place
  FROM hook_executions
)
GROUP BY hook_type, tool_name;

CREATE VIEW endpoint_reliability AS
SELECT
  service_name, endpoint_path, http_method,
  count(*) AS calls,
  1.0 * count(*) FILTER (WHERE success) / count(*) AS success_rate,
  count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
  sum(retry_count) AS retries,
  avg(duration_ms) AS average_duration_ms,
  min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms,
  max(started_at) FILTER (WHERE NOT success) AS last_failure_at
FROM (
  SELECT service_name, endpoint_path, http_method, success, error_type, retry_count, duration_ms, started_at,
    cume_dist() OVER (PARTITION BY service_name, endpoint_path, http_method, duration_ms IS NULL
      ORDER BY duration_ms) AS place
  FROM endpoint_calls
)
GROUP BY service_name, endpoint_path, http_method;

CREATE VIEW error_analysis AS
SELECT
  error_type, agent_role, name,
  count(*) AS occurrences,
  count(DISTINCT root_id) AS traces,
  min(started_at) AS first_seen_at,
  max(started_at) AS last_seen_at
FROM execution_traces
WHERE status IN ('error', 'timeout')
GROUP BY error_type, agent_role, name;

CREATE VIEW pattern_effectiveness AS
SELECT
  pattern.id AS pattern_id, pattern.intent, pattern.agent, pattern.success_score,
  count(log.id) AS offered,
  count(log.id) FILTER (WHERE log.used) AS used,
  pattern.success_count, pattern.failure_count, pattern.success_rate,
  avg(log.match_score) AS average_match_score,
  avg(log.performance_variance) AS average_performance_variance,
  pattern.last_used_at
FROM success_patterns AS pattern
LEFT JOIN pattern_usage_log AS log ON log.pattern_id = pattern.id
GROUP BY pattern.id;

CREATE VIEW dashboard_summary AS
SELECT
  (SELECT count(*) FROM task_metadata WHERE status = 'in_progress') AS tasks_in_progress,
  (SELECT count(*) FROM task_metadata WHERE status = 'failed') AS tasks_failed,
  (SELECT count(*) FROM execution_traces WHERE status = 'in_progress') AS executions_in_progress,
  (SELECT count(*) FROM execution_traces WHERE started_at >= datetime('now', '-24 hours')) AS executions_24h,
  (SELECT count(*) FROM execution_traces
   WHERE started_at >= datetime('now', '-24 hours') AND status IN ('error', 'timeout', 'abandoned')) AS failures_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-24 hours') AND metric_type = 'API_Cost') AS api_cost_usd_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-24 hours') AND metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-30 days') AND metric_type = 'API_Cost') AS api_cost_usd_30d,
  (SELECT count(*) FROM defect_log WHERE resolved_at IS NULL AND NOT coalesce(false_positive, false)) AS open_defects,
  (SELECT count(*) FROM bootstrap_status) AS capabilities,
  (SELECT count(*) FROM bootstrap_status WHERE on_target) AS capabilities_on_target;
