-- What the panels of the dashboard "Agents and router" ask. Percentiles are values that occurred (nearest rank).

-- name: agent_errors
SELECT {error_rate} AS "Error rate"
FROM execution_traces
WHERE kind = 'agent' AND {executed}

-- name: agent_runs
SELECT
  count(*) FILTER (WHERE status <> 'in_progress') AS "Ended", count(*) FILTER (WHERE status = 'in_progress') AS "Running"
FROM execution_traces
WHERE kind = 'agent' AND {executed}

-- name: agent_latency
SELECT
  percentile_disc(0.5) WITHIN GROUP (ORDER BY metric_value) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) AS "p95"
FROM agent_cost_vector
WHERE metric_type = 'Latency' AND {worked}

-- name: error_rate_over_time
SELECT $__timeGroupAlias(started_at, $__interval), agent_role AS metric, {error_rate} AS value
FROM execution_traces
WHERE agent_role IS NOT NULL AND status <> 'in_progress' AND {executed}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: latency_over_time
SELECT $__timeGroupAlias(timestamp, $__interval),
  percentile_disc(0.5) WITHIN GROUP (ORDER BY metric_value) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) AS "p95"
FROM agent_cost_vector
WHERE metric_type = 'Latency' AND {worked}
GROUP BY 1
ORDER BY 1

-- name: latency_by_role_over_time
SELECT $__timeGroupAlias(timestamp, $__interval), agent_role AS metric,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) AS value
FROM agent_cost_vector
WHERE metric_type = 'Latency' AND {worked}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: agents
SELECT
  ran.agent_role AS "Role", "Runs", "Running", "Success rate", "Error rate", "Median", "p95", cost_usd AS "Cost",
  cost_usd / nullif(successes, 0) AS "Cost per success"
FROM (
  SELECT
    agent_role,
    count(*) FILTER (WHERE status <> 'in_progress') AS "Runs",
    count(*) FILTER (WHERE status = 'in_progress') AS "Running",
    count(*) FILTER (WHERE status = 'success') AS successes,
    count(*) FILTER (WHERE status = 'success')::float8 / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0)
      AS "Success rate",
    {error_rate} AS "Error rate",
    percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "Median",
    percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95"
  FROM execution_traces
  WHERE kind = 'agent' AND {executed}
  GROUP BY agent_role
) AS ran
LEFT JOIN (
  SELECT agent_role, sum(metric_value) AS cost_usd
  FROM agent_cost_vector
  WHERE metric_type = 'API_Cost' AND {worked}
  GROUP BY agent_role
) AS spent ON spent.agent_role = ran.agent_role
ORDER BY "Role"

-- name: versions
SELECT
  agent_role AS "Role", agent_version AS "Version", min(timestamp) AS "First run", max(timestamp) AS "Last run",
  count(*) FILTER (WHERE metric_type = 'Latency') AS "Runs",
  percentile_disc(0.5) WITHIN GROUP (ORDER BY metric_value) FILTER (WHERE metric_type = 'Latency') AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) FILTER (WHERE metric_type = 'Latency') AS "p95",
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost')
    / nullif(count(*) FILTER (WHERE metric_type = 'Latency'), 0) AS "Cost per run"
FROM agent_cost_vector
WHERE metric_type IN ('Latency', 'API_Cost') AND {worked}
GROUP BY agent_role, agent_version
ORDER BY "Role", "Last run" DESC, "Version"

-- name: outcomes_by_name
SELECT
  kind AS "Kind", name AS "Name", agent_role AS "Role",
  count(*) FILTER (WHERE status <> 'in_progress') AS "Runs", {error_rate} AS "Error rate",
  count(*) FILTER (WHERE status = 'error') AS "Errors", count(*) FILTER (WHERE status = 'timeout') AS "Timeouts",
  count(*) FILTER (WHERE status = 'abandoned') AS "Abandoned"
FROM execution_traces
WHERE {executed}
GROUP BY kind, name, agent_role
ORDER BY count(*) FILTER (WHERE status IN ('error', 'timeout', 'abandoned')) DESC, count(*) DESC, "Kind", "Name", "Role"
LIMIT 50

-- name: errors
SELECT
  error_type AS "Error", agent_role AS "Role", name AS "Name", count(*) AS "Occurrences",
  count(DISTINCT root_id) AS "Traces", min(started_at) AS "First seen", max(started_at) AS "Last seen"
FROM execution_traces
WHERE status IN ('error', 'timeout') AND {executed}
GROUP BY error_type, agent_role, name
ORDER BY "Occurrences" DESC, "Error", "Role", "Name"
LIMIT 50

-- name: running
SELECT
  started_at AS "Started", kind AS "Kind", name AS "Name", agent_role AS "Role", task_id AS "Task", user_id AS "User"
FROM execution_traces
WHERE status = 'in_progress' AND {executed}
ORDER BY started_at
LIMIT 50

-- name: first_token_over_time
SELECT $__timeGroupAlias(timestamp, $__interval), llm_model AS metric,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) AS value
FROM agent_cost_vector
WHERE metric_type = 'Time_To_First_Token' AND llm_model IS NOT NULL AND {spent}
GROUP BY 1, 2
ORDER BY 1, 2

-- name: endpoints
SELECT
  service_name AS "Service", http_method AS "Method", endpoint_path AS "Path", count(*) AS "Calls",
  count(*) FILTER (WHERE success)::float8 / count(*) AS "Success rate",
  count(*) FILTER (WHERE error_type = 'timeout') AS "Timeouts", coalesce(sum(retry_count), 0) AS "Retries",
  percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95"
FROM endpoint_calls AS inside
WHERE $__timeFilter(started_at) AND {in_traces}
GROUP BY service_name, http_method, endpoint_path
ORDER BY "Service", "Path", "Method"

-- name: hooks
SELECT
  hook_type AS "Hook", tool_name AS "Tool",
  count(*) FILTER (WHERE status <> 'in_progress') AS "Runs",
  count(*) FILTER (WHERE success)::float8 / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0) AS "Success rate",
  percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS "p95"
FROM hook_executions AS inside
WHERE $__timeFilter(started_at) AND {in_traces}
GROUP BY hook_type, tool_name
ORDER BY "Hook", "Tool"

-- name: decided
FROM router_performance_metrics AS inside
WHERE metric_type = 'routing_decision' AND $__timeFilter(measured_at) AND {in_traces}

-- name: decisions
SELECT count(*) AS "Decisions", count(*) FILTER (WHERE total_routing_time_us > 100000) AS "Over 100 ms"
{decided}

-- name: routing_time
SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY total_routing_time_us) AS "p95"
{decided}

-- name: cache_hits
SELECT count(*) FILTER (WHERE cache_hit)::float8 / nullif(count(cache_hit), 0) AS "Cache hits"
{decided}

-- name: routing_success
SELECT count(*) FILTER (WHERE actual_success)::float8 / nullif(count(actual_success), 0) AS "Succeeded"
{decided}

-- name: routing_time_over_time
SELECT $__timeGroupAlias(measured_at, $__interval),
  percentile_disc(0.5) WITHIN GROUP (ORDER BY total_routing_time_us) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY total_routing_time_us) AS "p95"
{decided}
GROUP BY 1
ORDER BY 1

-- name: confidence_over_time
SELECT $__timeGroupAlias(measured_at, $__interval),
  avg(confidence_score)::float8 AS "Confidence", avg(actual_quality_score)::float8 AS "Quality that came of it",
  count(*) FILTER (WHERE cache_hit)::float8 / nullif(count(cache_hit), 0) AS "Cache hits"
{decided}
GROUP BY 1
ORDER BY 1

-- name: quality
  count(*) AS "Decisions",
  percentile_disc(0.5) WITHIN GROUP (ORDER BY total_routing_time_us) AS "Median",
  percentile_disc(0.95) WITHIN GROUP (ORDER BY total_routing_time_us) AS "p95",
  count(*) FILTER (WHERE cache_hit)::float8 / nullif(count(cache_hit), 0) AS "Cache hits",
  avg(confidence_score)::float8 AS "Confidence", avg(trigger_confidence)::float8 AS "Trigger",
  avg(context_confidence)::float8 AS "Context", avg(capability_confidence)::float8 AS "Capability",
  avg(historical_confidence)::float8 AS "History",
  count(*) FILTER (WHERE actual_success)::float8 / nullif(count(actual_success), 0) AS "Succeeded",
  avg(prediction_error)::float8 AS "Prediction error"

-- name: router_by_strategy
SELECT selection_strategy AS "Strategy", {quality}
{decided}
GROUP BY selection_strategy
ORDER BY "Decisions" DESC, "Strategy"

-- name: router_by_agent
SELECT selected_agent AS "Agent", {quality}
{decided}
GROUP BY selected_agent
ORDER BY "Decisions" DESC, "Agent"
LIMIT 50

-- name: patterns
SELECT
  intent AS "Intent", agent AS "Agent", success_score AS "Score", coalesce(offered, 0) AS "Offered",
  used::float8 / nullif(offered, 0) AS "Used", successes::float8 / nullif(successes + failures, 0) AS "Succeeded",
  average_match AS "Match", last_used_at AS "Last used"
FROM success_patterns AS pattern
LEFT JOIN (
  SELECT
    pattern_id, count(*) AS offered, count(*) FILTER (WHERE used) AS used,
    count(*) FILTER (WHERE used AND success) AS successes, count(*) FILTER (WHERE used AND NOT success) AS failures,
    avg(match_score)::float8 AS average_match
  FROM pattern_usage_log
  WHERE $__timeFilter(used_at)
  GROUP BY pattern_id
) AS log ON log.pattern_id = pattern.id
ORDER BY "Offered" DESC, intent, pattern.id
LIMIT 50
