-- What a mirror asks of an SQLite database about records that it reads again; sets of ids come as JSON arrays.

-- Tokens only tell that an execution is in the ledger; the times are for other databases, whose tables are cut by them.
-- name: costs
SELECT correlation_id, metric_type, metric_value, metric_unit, llm_model, llm_provider, metadata
FROM agent_cost_vector
WHERE correlation_id IN (SELECT value FROM json_each(?1))
  AND +metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out')
ORDER BY id;

-- name: usage
SELECT correlation_id, usage, json_extract(context, '$.unpriced') AS unpriced FROM execution_traces
WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- Each with the last agent of the phase that put it in, of the same task, that ended before it was logged.
-- name: defects
SELECT defect.*, injecting.correlation_id AS injecting_id, injecting.root_id AS injecting_root,
  injecting.task_id AS injecting_task
FROM defect_log AS defect
LEFT JOIN execution_traces AS injecting ON injecting.correlation_id = (
  SELECT agent.correlation_id FROM execution_traces AS agent
  WHERE agent.task_id = defect.task_id AND agent.kind = 'agent' AND agent.completed_at <= defect.created_at
    AND lower(defect.phase_injected) IN (lower(agent.agent_role), lower(agent.name))
  ORDER BY agent.completed_at DESC, agent.correlation_id DESC LIMIT 1)
WHERE defect.defect_id IN (SELECT value FROM json_each(?1));

-- name: has_ledger
SELECT count(*) FROM sqlite_schema
WHERE type = 'table' AND name IN ('agent_cost_vector', 'execution_traces', 'defect_log');
