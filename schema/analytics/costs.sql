-- What work costs, in USD, tokens and time; both databases understand it. First the rows of each metric are added up, then
-- the sums are put side by side. SQLite, which groups by sorting, adds up in the order of its index: `upto_...` are the
-- columns that stand before those that are asked for, and only the sums are left to be sorted. Projects and users are not
-- in that order, since rows of many of them would be written at many places.

-- name: spending
  coalesce(sum(measured) FILTER (WHERE metric_type = 'Latency'), 0) AS agent_runs,
  coalesce(sum(measured) FILTER (WHERE metric_type = 'Tokens_In'), 0) AS model_calls,
  sum(amount) FILTER (WHERE metric_type = 'API_Cost') AS cost_usd,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tokens_In'), 0) AS tokens_in,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tokens_Out'), 0) AS tokens_out,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tokens_Cache_Read'), 0) AS tokens_cache_read,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tokens_Cache_Write'), 0) AS tokens_cache_write,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tokens_Reasoning'), 0) AS tokens_reasoning,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Tool_Calls'), 0) AS tool_calls,
  coalesce(sum(amount) FILTER (WHERE metric_type = 'Retries'), 0) AS retries,
  sum(amount) FILTER (WHERE metric_type = 'Latency') AS latency_ms

-- name: amounts
  count(*) AS measured,
  sum(CASE metric_type WHEN 'API_Cost' THEN {exact_usd} WHEN 'Latency' THEN CASE WHEN NOT nested THEN {exact_ms} END
    ELSE {whole} END) AS amount

-- name: sums
  metric_type, {amounts}
FROM agent_cost_vector
WHERE metric_type IN ('API_Cost', 'Latency', 'Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write',
    'Tokens_Reasoning', 'Tool_Calls', 'Retries')
  AND {measured}

-- name: by_agent_role
SELECT agent_role, {spending}
FROM (SELECT agent_role, {sums} GROUP BY metric_type, {upto_role} agent_role) AS parts
GROUP BY agent_role
ORDER BY cost_usd DESC NULLS LAST, agent_role;

-- name: by_model
SELECT llm_model AS model, llm_provider AS provider, {spending}
FROM (
  SELECT llm_model, llm_provider, {sums}
    AND llm_model IS NOT NULL
  GROUP BY metric_type, {upto_model} llm_model, llm_provider
) AS parts
GROUP BY llm_model, llm_provider
ORDER BY cost_usd DESC NULLS LAST, llm_model, llm_provider NULLS FIRST;

-- name: by_project
SELECT project_id, {spending}
FROM ({sums_by_project}) AS parts
GROUP BY project_id
ORDER BY cost_usd DESC NULLS LAST, project_id NULLS FIRST;

-- name: by_user
SELECT user_id, {spending}
FROM ({sums_by_user}) AS parts
GROUP BY user_id
ORDER BY cost_usd DESC NULLS LAST, user_id NULLS FIRST;

-- name: by_day
SELECT day, {spending}
FROM (SELECT {day} AS day, {sums} GROUP BY metric_type, {day}) AS parts
GROUP BY day
ORDER BY day;

-- name: in_all
SELECT {spending}
FROM (SELECT {sums} GROUP BY metric_type) AS parts;
