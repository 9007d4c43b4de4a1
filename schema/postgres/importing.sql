-- What an import asks of a PostgreSQL database before it writes; each block is one statement, by the name in its first
-- line. Sets of ids come as JSON arrays. What is written goes through the writer's own statements.

-- Archived executions count, and those of which only the costs are left.
-- name: executions
WITH asked AS MATERIALIZED (SELECT array_agg(value::uuid) AS ids FROM jsonb_array_elements_text($1::text::jsonb) AS value)
SELECT correlation_id::text AS id FROM execution_traces WHERE correlation_id = ANY ((SELECT ids FROM asked)::uuid[])
UNION
SELECT correlation_id::text FROM execution_traces_archive WHERE correlation_id = ANY ((SELECT ids FROM asked)::uuid[])
UNION
SELECT correlation_id::text FROM agent_cost_vector WHERE correlation_id = ANY ((SELECT ids FROM asked)::uuid[]);

-- name: tasks
SELECT task_id AS id FROM task_metadata
WHERE task_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)));

-- name: defects
SELECT defect_id AS id, coalesce(to_char(resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '') AS resolved_at
FROM defect_log WHERE defect_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)));

-- name: bootstrap_metrics
SELECT held.capability_name,
  to_char(held.measured_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS measured_at, held.primary_metric_name
FROM jsonb_array_elements($1::text::jsonb) AS asked JOIN bootstrap_metrics AS held
  ON held.capability_name = asked ->> 0 AND held.measured_at = (asked ->> 1)::timestamp AT TIME ZONE 'UTC'
  AND held.primary_metric_name = asked ->> 2;

-- name: refusals
SELECT sequence FROM rejected_records
WHERE journal_id = $1::text
  AND sequence = ANY (ARRAY(SELECT jsonb_array_elements_text($2::text::jsonb)::bigint));

-- What a comparison asks. Executions that have ended, in the order of their start, behind ($3, $4); archived ones, too.
-- name: ended
SELECT id::text, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at FROM (
  SELECT correlation_id AS id, started_at FROM execution_traces
  WHERE started_at >= $1::text::timestamptz AND started_at < $2::text::timestamptz
    AND (started_at, correlation_id) > ($3::text::timestamptz, $4::text::uuid)
    AND status IN ('success', 'error', 'timeout', 'cancelled')
  UNION ALL
  SELECT correlation_id, started_at FROM execution_traces_archive AS archived
  WHERE started_at >= $1::text::timestamptz AND started_at < $2::text::timestamptz
    AND (started_at, correlation_id) > ($3::text::timestamptz, $4::text::uuid)
    AND status IN ('success', 'error', 'timeout', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM execution_traces AS live WHERE live.correlation_id = archived.correlation_id)
  ORDER BY 2, 1 LIMIT $5::int
) AS page
ORDER BY page.started_at, page.id;

-- Executions of which there are costs or tokens alone: sampling has left them out, or pruning has taken them away.
-- name: without_trace
SELECT id::text, to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at FROM (
  SELECT DISTINCT correlation_id AS id, timestamp AS moment FROM agent_cost_vector AS cost
  WHERE timestamp >= $1::text::timestamptz AND timestamp < $2::text::timestamptz
    AND (timestamp, correlation_id) > ($3::text::timestamptz, $4::text::uuid)
    AND metric_type IN ('Tokens_In', 'Tokens_Out', 'API_Cost')
    AND NOT EXISTS (SELECT 1 FROM execution_traces AS live WHERE live.correlation_id = cost.correlation_id)
    AND NOT EXISTS (SELECT 1 FROM execution_traces_archive AS old WHERE old.correlation_id = cost.correlation_id)
  ORDER BY 2, 1 LIMIT $5::int
) AS page
ORDER BY page.moment, page.id;

-- Live rows come last, so that they hold. A task has its row also where sampling has left out its trace.
-- name: traced
WITH asked AS MATERIALIZED (SELECT array_agg(value::uuid) AS ids FROM jsonb_array_elements_text($1::text::jsonb) AS value)
SELECT correlation_id::text AS id, status IN ('success', 'error', 'timeout', 'cancelled') AS is_ended,
  context -> 'sampled' IS DISTINCT FROM 'false'::jsonb AS is_sampled, false AS is_live
FROM execution_traces_archive WHERE correlation_id = ANY ((SELECT ids FROM asked)::uuid[])
UNION ALL
SELECT correlation_id::text, status IN ('success', 'error', 'timeout', 'cancelled'),
  context -> 'sampled' IS DISTINCT FROM 'false'::jsonb, true
FROM execution_traces WHERE correlation_id = ANY ((SELECT ids FROM asked)::uuid[])
ORDER BY is_live;

-- name: figures
SELECT correlation_id::text AS id, metric_type, metric_value, metadata -> 'history' IS NOT NULL AS is_repriced
FROM agent_cost_vector
WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
  AND metric_type IN ('Tokens_In', 'Tokens_Out', 'API_Cost')
ORDER BY correlation_id;
