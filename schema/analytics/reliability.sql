-- How often agents, hooks and endpoints succeed, and how long they take; both databases understand it.

-- name: in_all
SELECT {outcomes}
FROM execution_traces
WHERE {executed};

-- name: by_day
SELECT {started_day} AS day, {outcomes}
FROM execution_traces
WHERE {executed}
GROUP BY {started_day}
ORDER BY day;

-- name: by_name
SELECT kind, name, agent_role, {outcomes}
FROM execution_traces
WHERE {executed}
GROUP BY kind, name, agent_role
ORDER BY count(*) FILTER (WHERE status IN ('error', 'timeout', 'abandoned')) DESC, count(*) DESC,
  kind NULLS FIRST, name, agent_role NULLS FIRST;

-- name: agents
SELECT placed.*, cost_usd
FROM (
  SELECT agent_role, {outcomes}, {durations}
  FROM (
    SELECT agent_role, status, duration_ms,
      row_number() OVER (PARTITION BY agent_role ORDER BY duration_ms NULLS LAST) AS place,
      count(duration_ms) OVER (PARTITION BY agent_role) AS total
    FROM execution_traces
    WHERE kind = 'agent' AND {executed}
  ) AS runs
  GROUP BY agent_role
) AS placed
LEFT JOIN (
  SELECT agent_role, {usd} AS cost_usd
  FROM agent_cost_vector
  WHERE metric_type = 'API_Cost' AND timestamp >= :since AND timestamp < :until AND {project} AND {user} AND {role}
  GROUP BY agent_role
) AS spent ON spent.agent_role = placed.agent_role
ORDER BY placed.agent_role NULLS FIRST;

-- name: errors
SELECT
  error_type, agent_role, name, count(*) AS occurrences, count(DISTINCT root_id) AS traces,
  min(started_at) AS first_seen_at, max(started_at) AS last_seen_at,
  min(error_message) FILTER (WHERE age = 1) AS newest_message,
  min(CAST(correlation_id AS text)) FILTER (WHERE age = 1) AS newest_id
FROM (
  SELECT error_type, agent_role, name, root_id, correlation_id, started_at, error_message,
    row_number() OVER (PARTITION BY error_type, agent_role, name ORDER BY started_at DESC, correlation_id DESC) AS age
  FROM execution_traces
  WHERE status IN ('error', 'timeout') AND {executed}
) AS failed
GROUP BY error_type, agent_role, name
ORDER BY count(*) DESC, error_type NULLS FIRST, agent_role NULLS FIRST, name;

-- name: running
SELECT correlation_id AS id, root_id, kind, name, agent_role, task_id, user_id, started_at
FROM execution_traces
WHERE status = 'in_progress' AND {executed}
ORDER BY started_at, correlation_id;

-- name: endpoints
SELECT
  service_name AS service, http_method AS method, endpoint_path AS path, count(*) AS calls,
  count(*) FILTER (WHERE success) AS successes,
  count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
  coalesce(sum(retry_count), 0) AS retries,
  max(started_at) FILTER (WHERE NOT success) AS last_failure_at,
  {durations}
FROM (
  SELECT service_name, endpoint_path, http_method, success, error_type, retry_count, duration_ms, started_at,
    row_number() OVER (PARTITION BY service_name, endpoint_path, http_method ORDER BY duration_ms NULLS LAST) AS place,
    count(duration_ms) OVER (PARTITION BY service_name, endpoint_path, http_method) AS total
  FROM endpoint_calls AS inside
  WHERE started_at >= :since AND started_at < :until AND {in_traces}
) AS placed
GROUP BY service_name, endpoint_path, http_method
ORDER BY service_name, endpoint_path, http_method;

-- name: hooks
SELECT
  hook_type, tool_name,
  count(*) FILTER (WHERE status <> 'in_progress') AS runs,
  count(*) FILTER (WHERE success) AS successes,
  count(*) FILTER (WHERE status = 'timeout') AS timeouts,
  max(started_at) AS last_started_at,
  {durations}
FROM (
  SELECT hook_type, tool_name, status, success, duration_ms, started_at,
    row_number() OVER (PARTITION BY hook_type, tool_name ORDER BY duration_ms NULLS LAST) AS place,
    count(duration_ms) OVER (PARTITION BY hook_type, tool_name) AS total
  FROM hook_executions AS inside
  WHERE started_at >= :since AND started_at < :until AND {in_traces}
) AS placed
GROUP BY hook_type, tool_name
ORDER BY hook_type, tool_name NULLS FIRST;
