-- What each agent role cost in the last 30 days. Latency leaves nested agents out: their time is part of another's.
SELECT
  agent_role,
  count(DISTINCT task_id) AS tasks,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  sum(metric_value) FILTER (WHERE metric_type = 'Latency' AND NOT nested) AS latency_ms
FROM agent_cost_vector
WHERE timestamp >= now() - interval '30 days'
GROUP BY agent_role
ORDER BY api_cost_usd DESC NULLS LAST, agent_role;
