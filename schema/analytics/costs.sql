-- What work costs, in USD, tokens and time; both databases understand it.

-- name: spending
  count(*) FILTER (WHERE metric_type = 'Latency') AS agent_runs,
  count(*) FILTER (WHERE metric_type = 'Tokens_In') AS model_calls,
  {usd} FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_In'), 0) AS tokens_in,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_Out'), 0) AS tokens_out,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_Cache_Read'), 0)
    AS tokens_cache_read,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_Cache_Write'), 0)
    AS tokens_cache_write,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tokens_Reasoning'), 0)
    AS tokens_reasoning,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Tool_Calls'), 0) AS tool_calls,
  coalesce(sum(CAST(round(metric_value) AS bigint)) FILTER (WHERE metric_type = 'Retries'), 0) AS retries,
  {ms} FILTER (WHERE metric_type = 'Latency' AND NOT nested) AS latency_ms
FROM agent_cost_vector
WHERE metric_type IN ('API_Cost', 'Latency', 'Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write',
    'Tokens_Reasoning', 'Tool_Calls', 'Retries')
  AND {measured}

-- name: by_agent_role
SELECT agent_role, {spending}
GROUP BY agent_role
ORDER BY cost_usd DESC NULLS LAST, agent_role;

-- name: by_model
SELECT llm_model AS model, llm_provider AS provider, {spending}
  AND llm_model IS NOT NULL
GROUP BY llm_model, llm_provider
ORDER BY cost_usd DESC NULLS LAST, llm_model, llm_provider NULLS FIRST;

-- name: by_project
SELECT project_id, {spending}
GROUP BY project_id
ORDER BY cost_usd DESC NULLS LAST, project_id NULLS FIRST;

-- name: by_user
SELECT user_id, {spending}
GROUP BY user_id
ORDER BY cost_usd DESC NULLS LAST, user_id NULLS FIRST;

-- name: by_day
SELECT {day} AS day, {spending}
GROUP BY {day}
ORDER BY day;

-- name: in_all
SELECT {spending};
