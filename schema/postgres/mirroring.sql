-- What a mirror asks of a PostgreSQL database about records that it reads again; sets of ids come as arrays of text.

-- Tokens only tell that an execution is in the ledger. The times spare a table that is cut by them most of its parts.
-- Materialised, or the index by metric, in which nearly all rows are, is read to the end.
-- name: costs
WITH found AS MATERIALIZED (
  SELECT * FROM agent_cost_vector
  WHERE correlation_id = ANY ($1::text[]::uuid[])
    AND timestamp BETWEEN $2::text::timestamptz AND $3::text::timestamptz
)
SELECT correlation_id::text AS correlation_id, metric_type, trim_scale(metric_value)::text AS metric_value, metric_unit,
  llm_model, llm_provider, metadata::text AS metadata
FROM found WHERE metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out')
ORDER BY id;

-- name: usage
SELECT correlation_id::text AS correlation_id, usage::text AS usage, context ->> 'unpriced' AS unpriced
FROM execution_traces WHERE correlation_id = ANY ($1::text[]::uuid[]);

-- Each with the last agent of the phase that put it in, of the same task, that ended before it was logged.
-- name: defects
SELECT defect.defect_id, to_char(defect.created_at, 'YYYY-MM-DD HH24:MI:SS.US') AS created_at,
  to_char(defect.resolved_at, 'YYYY-MM-DD HH24:MI:SS.US') AS resolved_at, defect.task_id, defect.project_id,
  defect.user_id, defect.correlation_id::text AS correlation_id, defect.defect_type, defect.severity,
  defect.phase_injected, defect.phase_removed, defect.component_path, defect.function_name, defect.line_number,
  defect.effort_to_fix_json::text AS effort_to_fix_json, defect.description, defect.root_cause,
  defect.resolution_notes, defect.flagged_by_agent, defect.validated_by_human, defect.false_positive,
  defect.metadata::text AS metadata, injecting.correlation_id::text AS injecting_id,
  injecting.root_id::text AS injecting_root, injecting.task_id AS injecting_task
FROM defect_log AS defect
LEFT JOIN LATERAL (
  SELECT agent.correlation_id, agent.root_id, agent.task_id FROM execution_traces AS agent
  WHERE agent.task_id = defect.task_id AND agent.kind = 'agent' AND agent.completed_at <= defect.created_at
    AND lower(defect.phase_injected) IN (lower(agent.agent_role), lower(agent.name))
  ORDER BY agent.completed_at DESC, agent.correlation_id DESC LIMIT 1
) AS injecting ON TRUE
WHERE defect.defect_id = ANY ($1::text[]);
