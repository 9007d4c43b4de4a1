-- What a shared budget asks of an SQLite database. `{whose}` and `{since}` are filled with conditions on
-- agent_cost_vector.

-- What is committed, and which of the asker's own executions are: one statement, so that both are of one moment.
-- The plus keeps SQLite from the index by metric, of which three kinds of rows would be nearly all.
-- name: spending
WITH spent AS (
  SELECT metric_type, metric_value FROM agent_cost_vector
  WHERE {whose} AND {since} AND +metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out')
)
SELECT
  (SELECT printf('%.10f', coalesce(sum(metric_value), 0)) FROM spent WHERE metric_type = 'API_Cost'),
  (SELECT cast(coalesce(sum(metric_value), 0) AS INTEGER) FROM spent WHERE metric_type <> 'API_Cost'),
  (SELECT json_group_array(DISTINCT correlation_id) FROM agent_cost_vector
   WHERE correlation_id IN (SELECT value FROM json_each(:executions)));

-- name: has_ledger
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('agent_cost_vector', 'execution_traces');
