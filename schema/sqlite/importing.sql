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
