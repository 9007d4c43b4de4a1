-- The views that people and dashboards read. Each shows what the reader may see (security_invoker): without it a view
-- would look with its owner's eyes. Percentiles are values that occurred: the smallest below which lie 95 % of all.

-- What each role cost per day. Cost is NULL, not 0, where no price was known.
CREATE VIEW daily_cost_summary WITH (security_invoker = true) AS
SELECT
  execution_date AS day, agent_role, project_id,
  count(DISTINCT correlation_id) AS executions,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms
FROM agent_cost_vector
GROUP BY execution_date, agent_role, project_id;
COMMENT ON VIEW daily_cost_summary IS 'What each role cost per day (UTC) and project.';

-- The day stands beside the hour because it is what the index is on.
CREATE VIEW hourly_agent_performance WITH (security_invoker = true) AS
SELECT
  execution_date AS day, date_trunc('hour', timestamp, 'UTC') AS hour, agent_role,
  count(DISTINCT task_id) AS tasks,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) FILTER (WHERE metric_type = 'Latency') AS p95_latency_ms,
  sum(metric_value) FILTER (WHERE metric_type = 'Retries') AS retries
FROM agent_cost_vector
GROUP BY execution_date, date_trunc('hour', timestamp, 'UTC'), agent_role;
COMMENT ON VIEW hourly_agent_performance IS 'How fast each role was per hour (UTC); filter by day to use an index.';

CREATE VIEW probe_training_data WITH (security_invoker = true) AS
SELECT
  task_id, project_id, task_type, bootstrap_phase, completed_at, semantic_units_json,
  estimated_complexity, actual_complexity,
  -- anything that is no number is left out instead of failing the whole view
  jsonb_path_query_first(estimated_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::numeric
    AS estimated_latency_ms,
  jsonb_path_query_first(estimated_cost_vector_json, '$.tokens ? (@.type() == "number")')::numeric
    AS estimated_tokens,
  jsonb_path_query_first(estimated_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::numeric
    AS estimated_api_cost_usd,
  jsonb_path_query_first(actual_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::numeric
    AS actual_latency_ms,
  jsonb_path_query_first(actual_cost_vector_json, '$.tokens ? (@.type() == "number")')::numeric AS actual_tokens,
  jsonb_path_query_first(actual_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::numeric
    AS actual_api_cost_usd,
  defect_count, defect_density
FROM task_metadata
WHERE status = 'completed' AND estimated_complexity IS NOT NULL AND actual_cost_vector_json IS NOT NULL;
COMMENT ON VIEW probe_training_data IS 'Finished tasks with what was estimated and what they took: what PROBE-AI learns from.';

CREATE VIEW review_agent_effectiveness WITH (security_invoker = true) AS
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
COMMENT ON VIEW review_agent_effectiveness IS 'What the review agents found, wrongly found and let through. Rates are 0 to 1: of what a person has judged; escapes of what there was to find.';

CREATE VIEW defect_density_by_component WITH (security_invoker = true) AS
WITH touched AS (
  SELECT unnest(components_affected) AS component_path, task_id FROM task_metadata
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
COMMENT ON VIEW defect_density_by_component IS 'Defects of each component per unit of complexity of the tasks that touched it; false positives left out.';

CREATE VIEW bootstrap_status WITH (security_invoker = true) AS
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
COMMENT ON VIEW bootstrap_status IS 'The newest measurement of each capability, and whether its metric has reached the target in its own direction.';

-- One row per trace, at its root, or where the root lies elsewhere at its earliest execution here.
CREATE VIEW trace_summary WITH (security_invoker = true) AS
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
COMMENT ON VIEW trace_summary IS 'One row per trace: its agents, hooks, endpoint calls, tokens, cost, duration and status.';

CREATE VIEW agent_performance WITH (security_invoker = true) AS
WITH runs AS (
  SELECT
    agent_role,
    count(*) FILTER (WHERE status <> 'in_progress') AS executions,
    count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
    count(*) FILTER (WHERE status = 'success') AS successes,
    avg(duration_ms) AS average_duration_ms,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS median_duration_ms,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms
  FROM execution_traces
  WHERE kind = 'agent'
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
COMMENT ON VIEW agent_performance IS 'How often each role succeeds, how long it takes, and what a success costs, failures included.';

CREATE VIEW hook_performance_summary WITH (security_invoker = true) AS
SELECT
  hook_type, tool_name,
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  1.0 * count(*) FILTER (WHERE success) / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0) AS success_rate,
  avg(duration_ms) AS average_duration_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms,
  max(started_at) AS last_started_at
FROM hook_executions
GROUP BY hook_type, tool_name;
COMMENT ON VIEW hook_performance_summary IS 'How often each hook runs, how long it takes, and how often it succeeds.';

CREATE VIEW endpoint_reliability WITH (security_invoker = true) AS
SELECT
  service_name, endpoint_path, http_method,
  count(*) AS calls,
  1.0 * count(*) FILTER (WHERE success) / count(*) AS success_rate,
  count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
  sum(retry_count) AS retries,
  avg(duration_ms) AS average_duration_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms,
  max(started_at) FILTER (WHERE NOT success) AS last_failure_at
FROM endpoint_calls
GROUP BY service_name, endpoint_path, http_method;
COMMENT ON VIEW endpoint_reliability IS 'How often each endpoint answers, and how fast.';

CREATE VIEW error_analysis WITH (security_invoker = true) AS
SELECT
  error_type, agent_role, name,
  count(*) AS occurrences,
  count(DISTINCT root_id) AS traces,
  min(started_at) AS first_seen_at,
  max(started_at) AS last_seen_at
FROM execution_traces
WHERE status IN ('error', 'timeout')
GROUP BY error_type, agent_role, name;
COMMENT ON VIEW error_analysis IS 'Which errors occur where, how often, since when.';

CREATE VIEW pattern_effectiveness WITH (security_invoker = true) AS
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
COMMENT ON VIEW pattern_effectiveness IS 'How often each pattern was offered and used, and how that went.';

CREATE VIEW dashboard_summary WITH (security_invoker = true) AS
SELECT
  (SELECT count(*) FROM task_metadata WHERE status = 'in_progress') AS tasks_in_progress,
  (SELECT count(*) FROM task_metadata WHERE status = 'failed') AS tasks_failed,
  (SELECT count(*) FROM execution_traces WHERE status = 'in_progress') AS executions_in_progress,
  (SELECT count(*) FROM execution_traces WHERE started_at >= now() - interval '24 hours') AS executions_24h,
  (SELECT count(*) FROM execution_traces
   WHERE started_at >= now() - interval '24 hours' AND status IN ('error', 'timeout', 'abandoned')) AS failures_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '24 hours' AND metric_type = 'API_Cost') AS api_cost_usd_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '24 hours' AND metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '30 days' AND metric_type = 'API_Cost') AS api_cost_usd_30d,
  (SELECT count(*) FROM defect_log WHERE resolved_at IS NULL AND NOT coalesce(false_positive, false)) AS open_defects,
  (SELECT count(*) FROM bootstrap_status) AS capabilities,
  (SELECT count(*) FROM bootstrap_status WHERE on_target) AS capabilities_on_target;
COMMENT ON VIEW dashboard_summary IS 'One row: what goes on now, and what the last day and the last thirty days cost.';

REVOKE ALL ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, pattern_effectiveness, dashboard_summary FROM PUBLIC, anon, authenticated;
GRANT SELECT ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, pattern_effectiveness, dashboard_summary TO service_role;
GRANT SELECT ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, dashboard_summary TO authenticated;
