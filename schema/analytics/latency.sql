-- How long agents and models take, as percentiles; both databases understand it.

-- name: by_agent_role
SELECT agent_role, {durations}
FROM (
  SELECT agent_role, duration_ms,
    row_number() OVER (PARTITION BY agent_role ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY agent_role) AS total
  FROM (SELECT agent_role, metric_value AS duration_ms FROM agent_cost_vector
    WHERE metric_type = 'Latency' AND {measured}) AS runs
) AS placed
GROUP BY agent_role
ORDER BY agent_role;

-- name: by_day
SELECT day, {durations}
FROM (
  SELECT day, duration_ms,
    row_number() OVER (PARTITION BY day ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY day) AS total
  FROM (SELECT {day} AS day, metric_value AS duration_ms FROM agent_cost_vector
    WHERE metric_type = 'Latency' AND {measured}) AS runs
) AS placed
GROUP BY day
ORDER BY day;

-- name: first_token_by_model
SELECT model, provider, {durations}
FROM (
  SELECT model, provider, duration_ms,
    row_number() OVER (PARTITION BY model, provider ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY model, provider) AS total
  FROM (SELECT llm_model AS model, llm_provider AS provider, metric_value AS duration_ms FROM agent_cost_vector
    WHERE metric_type = 'Time_To_First_Token' AND {measured}) AS answers
) AS placed
GROUP BY model, provider
ORDER BY model NULLS FIRST, provider NULLS FIRST;

-- name: in_all
SELECT {durations}
FROM (
  SELECT duration_ms, row_number() OVER (ORDER BY duration_ms) AS place, count(*) OVER () AS total
  FROM (SELECT metric_value AS duration_ms FROM agent_cost_vector
    WHERE metric_type = 'Latency' AND {measured}) AS runs
) AS placed;
