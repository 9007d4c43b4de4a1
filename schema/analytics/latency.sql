-- How long agents and models take, as percentiles; both databases understand it.

-- name: by_agent_role
WITH runs AS NOT MATERIALIZED (
  SELECT agent_role, metric_value AS duration
  FROM agent_cost_vector
  WHERE metric_type = 'Latency' AND {measured}
), counted AS MATERIALIZED (
  SELECT agent_role, {counts}, CAST(sum(count(*)) OVER (ORDER BY agent_role) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY agent_role
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY agent_role, duration) AS place FROM runs
), {picked}
SELECT agent_role, {durations}
FROM counted {percentiles}
ORDER BY agent_role;

-- name: by_day
WITH runs AS NOT MATERIALIZED (
  SELECT {day} AS day, metric_value AS duration
  FROM agent_cost_vector
  WHERE metric_type = 'Latency' AND {measured}
), counted AS MATERIALIZED (
  SELECT day, {counts}, CAST(sum(count(*)) OVER (ORDER BY day) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY day
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY day, duration) AS place FROM runs
), {picked}
SELECT day, {durations}
FROM counted {percentiles}
ORDER BY day;

-- name: first_token_by_model
WITH runs AS NOT MATERIALIZED (
  SELECT llm_model AS model, llm_provider AS provider, metric_value AS duration
  FROM agent_cost_vector
  WHERE metric_type = 'Time_To_First_Token' AND {measured}
), counted AS MATERIALIZED (
  SELECT model, provider, {counts}, CAST(sum(count(*)) OVER (ORDER BY model, provider) AS bigint) - count(*) AS before
  FROM runs
  GROUP BY model, provider
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY model, provider, duration) AS place FROM runs
), {picked}
SELECT model, provider, {durations}
FROM counted {percentiles}
ORDER BY model NULLS FIRST, provider NULLS FIRST;

-- name: in_all
WITH runs AS NOT MATERIALIZED (
  SELECT metric_value AS duration
  FROM agent_cost_vector
  WHERE metric_type = 'Latency' AND {measured}
), counted AS MATERIALIZED (
  SELECT {counts}, 0 AS before FROM runs
), placed AS NOT MATERIALIZED (
  SELECT duration, row_number() OVER (ORDER BY duration) AS place FROM runs
), {picked}
SELECT {durations}
FROM counted {percentiles};
