-- Which traces have begun last, with what all their executions took together; both databases understand it.

-- What begins a trace here has no caller that is known in it. Filters are about any execution of the trace.
-- name: traces
WITH begun AS (
  SELECT correlation_id, root_id, kind, name, agent_role, task_id, user_id, started_at, completed_at, duration_ms, status
  FROM execution_traces AS first
  WHERE started_at >= :since AND started_at < :until
    AND NOT EXISTS (SELECT 1 FROM execution_traces AS caller WHERE caller.correlation_id = first.parent_id
      AND caller.root_id = first.root_id AND caller.correlation_id <> first.correlation_id)
    AND (CAST(:project AS text) IS NULL AND CAST(:user AS text) IS NULL AND CAST(:role AS text) IS NULL
        AND CAST(:model AS text) IS NULL
      OR EXISTS (SELECT 1 FROM execution_traces AS inside WHERE inside.root_id = first.root_id
        AND {user} AND {role} AND {project_of_task} AND (CAST(:model AS text) IS NULL
          OR EXISTS (SELECT 1 FROM agent_cost_vector AS spent
            WHERE spent.correlation_id = inside.correlation_id AND llm_model = :model))))
    AND (CAST(:failures AS bigint) IS NULL
      OR EXISTS (SELECT 1 FROM execution_traces AS inside WHERE inside.root_id = first.root_id
        AND status IN ('error', 'timeout', 'abandoned')))
  ORDER BY started_at DESC, correlation_id DESC
  LIMIT coalesce(CAST(:limit AS bigint), 50)
)
SELECT
  begun.correlation_id AS id, begun.root_id AS root_id, kind, name, agent_role, task_id, user_id, started_at, completed_at,
  duration_ms, status, executions, failures, cost_usd, tokens_in, tokens_out
FROM begun
JOIN (
  SELECT root_id, count(*) AS executions,
    count(*) FILTER (WHERE status IN ('error', 'timeout', 'abandoned')) AS failures
  FROM execution_traces
  WHERE root_id IN (SELECT root_id FROM begun)
  GROUP BY root_id
) AS whole ON whole.root_id = begun.root_id
LEFT JOIN (
  -- No condition on the metric: SQLite would read all costs there are, instead of those of the few traces.
  SELECT
    root_id, {usd} FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
    sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
    sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out
  FROM execution_traces AS spender
  JOIN agent_cost_vector AS spent ON spent.correlation_id = spender.correlation_id
  WHERE root_id IN (SELECT root_id FROM begun)
  GROUP BY root_id
) AS paid ON paid.root_id = begun.root_id
ORDER BY started_at DESC, begun.correlation_id DESC;
