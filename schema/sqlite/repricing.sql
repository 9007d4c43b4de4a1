-- What `asp-telemetry reprice` asks of an SQLite database and does to it; each block is one statement, by the name in its
-- first line. Sets of ids and of changes come as JSON arrays, amounts in them as text.

-- The next executions with tokens or costs between ?1 and ?2, behind where the page before has ended (?3, ?4).
-- name: page
SELECT DISTINCT timestamp, correlation_id FROM agent_cost_vector
WHERE metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out') AND correlation_id IS NOT NULL
  AND timestamp >= ?1 AND timestamp < ?2 AND (timestamp, correlation_id) > (?3, ?4)
ORDER BY timestamp, correlation_id LIMIT ?5;

-- name: without_execution
SELECT count(*) AS number FROM agent_cost_vector
WHERE metric_type = 'API_Cost' AND correlation_id IS NULL AND timestamp >= ?1 AND timestamp < ?2;

-- name: ledger_rows
SELECT id, timestamp, correlation_id, task_id, metric_type, metric_value, llm_model, llm_provider, metadata
FROM agent_cost_vector
WHERE correlation_id IN (SELECT value FROM json_each(?1)) AND metric_type IN (
  'API_Cost', 'Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write', 'Tokens_Reasoning')
ORDER BY id;

-- name: traces
SELECT correlation_id, started_at, usage, json_extract(context, '$.unpriced') AS unpriced, 0 AS live
FROM execution_traces_archive WHERE correlation_id IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT correlation_id, started_at, usage, json_extract(context, '$.unpriced'), 1
FROM execution_traces WHERE correlation_id IN (SELECT value FROM json_each(?1))
ORDER BY live;

-- name: update_traces
UPDATE execution_traces AS trace SET
  usage = coalesce(json_extract(change.value, '$.usage'), usage),
  context = CASE WHEN NOT json_extract(change.value, '$.changed') THEN context
    WHEN json_extract(change.value, '$.unpriced') IS NULL THEN nullif(json_remove(context, '$.unpriced'), '{}')
    ELSE json_set(coalesce(context, '{}'), '$.unpriced', json_extract(change.value, '$.unpriced')) END,
  updated_at = json_extract(change.value, '$.now')
FROM json_each(?1) AS change
WHERE trace.correlation_id = json_extract(change.value, '$.id');

-- name: update_archived_traces
UPDATE execution_traces_archive AS trace SET
  usage = coalesce(json_extract(change.value, '$.usage'), usage),
  context = CASE WHEN NOT json_extract(change.value, '$.changed') THEN context
    WHEN json_extract(change.value, '$.unpriced') IS NULL THEN nullif(json_remove(context, '$.unpriced'), '{}')
    ELSE json_set(coalesce(context, '{}'), '$.unpriced', json_extract(change.value, '$.unpriced')) END,
  updated_at = json_extract(change.value, '$.now')
FROM json_each(?1) AS change
WHERE trace.correlation_id = json_extract(change.value, '$.id');

-- name: update_costs
UPDATE agent_cost_vector AS cost SET
  metric_value = cast(json_extract(change.value, '$.amount') AS REAL),
  metadata = json_extract(change.value, '$.metadata')
FROM json_each(?1) AS change
WHERE cost.id = json_extract(change.value, '$.id');

-- A cost that was unknown stands beside the tokens that it is for.
-- name: insert_costs
INSERT INTO agent_cost_vector (
  timestamp, task_id, subtask_id, project_id, user_id, correlation_id, agent_role, agent_version, agent_iteration,
  metric_type, metric_value, metric_unit, nested, llm_model, llm_provider, metadata
)
SELECT tokens.timestamp, tokens.task_id, tokens.subtask_id, tokens.project_id, tokens.user_id, tokens.correlation_id,
  tokens.agent_role, tokens.agent_version, tokens.agent_iteration, 'API_Cost',
  cast(json_extract(change.value, '$.amount') AS REAL), 'USD', tokens.nested, tokens.llm_model, tokens.llm_provider,
  json_extract(change.value, '$.metadata')
FROM json_each(?1) AS change JOIN agent_cost_vector AS tokens ON tokens.id = json_extract(change.value, '$.like')
ORDER BY tokens.id;

-- What the fixing of a defect cost was added up batch by batch, so it is corrected by the difference.
-- name: correct_efforts
UPDATE defect_log AS defect SET
  effort_to_fix_json = json_set(coalesce(effort_to_fix_json, '{}'), '$.api_cost_usd', round(
    coalesce(json_extract(effort_to_fix_json, '$.api_cost_usd'), 0)
    + cast(json_extract(effort.value, '$.difference') AS REAL), 10))
FROM json_each(?1) AS effort
WHERE defect.defect_id = json_extract(effort.value, '$.id');
