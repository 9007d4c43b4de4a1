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
WITH runs AS NOT MATERIALIZED (
  SELECT agent_role, status, duration_ms AS duration
  FROM execution_traces
  WHERE kind = 'agent' AND {executed}
), counted AS MATERIALIZED (
  SELECT
    agent_role, {outcomes}, {counts}, CAST(sum(count(*)) OVER (ORDER BY agent_role) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY agent_role
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY agent_role, duration NULLS LAST) AS place FROM runs
), {picked}, spent AS (
  SELECT agent_role, sum(cost_usd) AS cost_usd
  FROM (
    SELECT agent_role, {usd} AS cost_usd
    FROM agent_cost_vector
    WHERE metric_type = 'API_Cost' AND {measured}
    GROUP BY {upto_role} agent_role
  ) AS parts
  GROUP BY agent_role
)
SELECT
  counted.agent_role, executions, in_progress, successes, errors, timeouts, cancelled, abandoned, {durations}, cost_usd
FROM counted {percentiles}
LEFT JOIN spent ON spent.agent_role = counted.agent_role
ORDER BY counted.agent_role NULLS FIRST;

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
WITH runs AS NOT MATERIALIZED (
  SELECT
    service_name AS service, http_method AS method, endpoint_path AS path, success, error_type, retry_count, started_at,
    duration_ms AS duration
  FROM endpoint_calls AS inside
  WHERE started_at >= :since AND started_at < :until AND {in_traces}
), counted AS MATERIALIZED (
  SELECT
    service, method, path, count(*) AS calls,
    count(*) FILTER (WHERE success) AS successes,
    count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
    coalesce(sum(retry_count), 0) AS retries,
    max(started_at) FILTER (WHERE NOT success) AS last_failure_at,
    {counts}, CAST(sum(count(*)) OVER (ORDER BY service, method, path) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY service, method, path
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY service, method, path, duration NULLS LAST) AS place FROM runs
), {picked}
SELECT service, method, path, calls, successes, timeouts, retries, last_failure_at, {durations}
FROM counted {percentiles}
ORDER BY service, path, method;

-- name: hooks
WITH runs AS NOT MATERIALIZED (
  SELECT hook_type, tool_name, status, success, started_at, duration_ms AS duration
  FROM hook_executions AS inside
  WHERE started_at >= :since AND started_at < :until AND {in_traces}
), counted AS MATERIALIZED (
  SELECT
    hook_type, tool_name,
    count(*) FILTER (WHERE status <> 'in_progress') AS runs,
    count(*) FILTER (WHERE success) AS successes,
    count(*) FILTER (WHERE status = 'timeout') AS timeouts,
    max(started_at) AS last_started_at,
    {counts}, CAST(sum(count(*)) OVER (ORDER BY hook_type, tool_name) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY hook_type, tool_name
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY hook_type, tool_name, duration NULLS LAST) AS place FROM runs
), {picked}
SELECT hook_type, tool_name, runs, successes, timeouts, last_started_at, {durations}
FROM counted {percentiles}
ORDER BY hook_type, tool_name NULLS FIRST;
