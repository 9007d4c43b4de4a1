-- What a shared budget asks of a PostgreSQL database. `{whose}` and `{since}` are filled with conditions on
-- agent_cost_vector.

-- What is committed, and which of the asker's own executions are: one statement, so that both are of one moment.
-- name: spending
WITH given AS (
  SELECT $1::text AS key, $2::text::timestamptz AS since, $3::text[]::uuid[] AS executions
), spent AS (
  SELECT metric_type, metric_value FROM agent_cost_vector
  WHERE {whose} AND {since} AND metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out')
)
SELECT
  (SELECT coalesce(sum(metric_value), 0)::text FROM spent WHERE metric_type = 'API_Cost'),
  (SELECT coalesce(sum(metric_value), 0)::bigint FROM spent WHERE metric_type <> 'API_Cost'),
  (SELECT coalesce(array_agg(DISTINCT correlation_id::text), '{{}}') FROM agent_cost_vector
   WHERE correlation_id = ANY ((SELECT executions FROM given)::uuid[]));
