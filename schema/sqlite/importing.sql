-- What an import asks of an SQLite database before it writes; each block is one statement, by the name in its first line.
-- Sets of ids come as JSON arrays. What is written goes through the writer's own statements.

-- Archived executions count, and those of which only the costs are left.
-- name: executions
SELECT correlation_id AS id FROM execution_traces WHERE correlation_id IN (SELECT value FROM json_each(?1))
UNION
SELECT correlation_id FROM execution_traces_archive WHERE correlation_id IN (SELECT value FROM json_each(?1))
UNION
SELECT correlation_id FROM agent_cost_vector WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: tasks
SELECT task_id AS id FROM task_metadata WHERE task_id IN (SELECT value FROM json_each(?1));

-- name: defects
SELECT defect_id AS id, coalesce(resolved_at, '') AS resolved_at FROM defect_log
WHERE defect_id IN (SELECT value FROM json_each(?1));

-- name: bootstrap_metrics
SELECT capability_name, measured_at, primary_metric_name FROM bootstrap_metrics
WHERE (capability_name, measured_at, primary_metric_name) IN (
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?1));

-- name: refusals
SELECT sequence FROM rejected_records
WHERE journal_id = ?1 AND sequence IN (SELECT value FROM json_each(?2));

-- What a comparison asks. Executions that have ended, in the order of their start, behind (?3, ?4); archived ones, too.
-- name: ended
SELECT correlation_id AS id, started_at FROM execution_traces
WHERE started_at >= ?1 AND started_at < ?2 AND (started_at, correlation_id) > (?3, ?4)
  AND status IN ('success', 'error', 'timeout', 'cancelled')
UNION ALL
SELECT correlation_id, started_at FROM execution_traces_archive AS archived
WHERE started_at >= ?1 AND started_at < ?2 AND (started_at, correlation_id) > (?3, ?4)
  AND status IN ('success', 'error', 'timeout', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM execution_traces AS live WHERE live.correlation_id = archived.correlation_id)
ORDER BY started_at, id LIMIT ?5;

-- Executions of which there are costs or tokens alone: sampling has left them out, or pruning has taken them away.
-- name: without_trace
SELECT DISTINCT correlation_id AS id, timestamp AS started_at FROM agent_cost_vector AS cost
WHERE timestamp >= ?1 AND timestamp < ?2 AND (timestamp, correlation_id) > (?3, ?4)
  AND metric_type IN ('Tokens_In', 'Tokens_Out', 'API_Cost')
  AND NOT EXISTS (SELECT 1 FROM execution_traces AS live WHERE live.correlation_id = cost.correlation_id)
  AND NOT EXISTS (SELECT 1 FROM execution_traces_archive AS old WHERE old.correlation_id = cost.correlation_id)
ORDER BY started_at, id LIMIT ?5;

-- Live rows come last, so that they hold. A task has its row also where sampling has left out its trace.
-- name: traced
SELECT correlation_id AS id, status IN ('success', 'error', 'timeout', 'cancelled') AS is_ended,
  json_extract(context, '$.sampled') IS NOT 0 AS is_sampled, 0 AS is_live
FROM execution_traces_archive WHERE correlation_id IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT correlation_id, status IN ('success', 'error', 'timeout', 'cancelled'),
  json_extract(context, '$.sampled') IS NOT 0, 1
FROM execution_traces WHERE correlation_id IN (SELECT value FROM json_each(?1))
ORDER BY is_live;

-- name: figures
SELECT correlation_id AS id, metric_type, metric_value, json_extract(metadata, '$.history') IS NOT NULL AS is_repriced
FROM agent_cost_vector
WHERE correlation_id IN (SELECT value FROM json_each(?1)) AND +metric_type IN ('Tokens_In', 'Tokens_Out', 'API_Cost')
ORDER BY correlation_id;
