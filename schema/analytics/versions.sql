-- What one version of an agent did, to be held against another; both databases understand it.

-- name: list
SELECT agent_role, version, sum(runs) AS runs, min(first_run_at) AS first_run_at, max(last_run_at) AS last_run_at
FROM (
  SELECT
    agent_role, agent_version AS version, count(*) AS runs, min(timestamp) AS first_run_at,
    max(timestamp) AS last_run_at
  FROM agent_cost_vector
  WHERE metric_type = 'Latency' AND {at_that_time} AND {project} AND {user} AND {role}
  GROUP BY {upto_role} agent_role, agent_version
) AS parts
GROUP BY agent_role, version
ORDER BY agent_role, last_run_at DESC, version NULLS FIRST;

-- name: of_version
agent_role = :agent_role AND agent_version IN (:before, :after) AND {at_that_time}
  AND {project} AND {user}

-- name: tasks
SELECT version, worked.task_id, cost_usd, tokens, coalesce(defects, 0) AS defects
FROM (
  SELECT
    agent_version AS version, task_id, {usd} FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
    sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type <> 'API_Cost') AS tokens
  FROM agent_cost_vector
  WHERE metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out') AND {of_version}
  GROUP BY agent_version, task_id
) AS worked
LEFT JOIN (
  SELECT task_id, count(*) AS defects
  FROM defect_log
  WHERE phase_injected = :agent_role AND NOT coalesce(false_positive, false)
  GROUP BY task_id
) AS put_in ON put_in.task_id = worked.task_id;

-- name: runs
SELECT agent_version AS version, metric_value AS latency_ms, status
FROM (
  SELECT agent_version, metric_value, correlation_id FROM agent_cost_vector
  WHERE metric_type = 'Latency' AND {of_version}
) AS runs
LEFT JOIN execution_traces ON execution_traces.correlation_id = runs.correlation_id;
