-- What `asp-telemetry reprice` asks of a PostgreSQL database and does to it; each block is one statement, by the name in
-- its first line. Sets of ids and of changes come as JSON arrays, amounts in them as text. Rows are locked in the order in
-- which writers lock them; tasks are locked and summed up by the writer's own statements.

-- Two repricings at once would both add the cost that was unknown.
-- name: be_the_only_one
SELECT pg_advisory_xact_lock(hashtextextended(id::text, 2)) FROM database_identity;

-- The next executions with tokens or costs between $1 and $2, behind where the page before has ended ($3, $4).
-- name: page
SELECT to_char(page.timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS timestamp,
  page.correlation_id::text AS correlation_id
FROM (
  SELECT DISTINCT cost.timestamp, cost.correlation_id FROM agent_cost_vector AS cost
  WHERE cost.metric_type IN ('API_Cost', 'Tokens_In', 'Tokens_Out') AND cost.correlation_id IS NOT NULL
    AND cost.timestamp >= $1::text::timestamptz AND cost.timestamp < $2::text::timestamptz
    AND cost.timestamp >= $3::text::timestamptz
    AND (cost.timestamp, cost.correlation_id) > ($3::text::timestamptz, $4::text::uuid)
  ORDER BY cost.timestamp, cost.correlation_id LIMIT $5::int
) AS page
ORDER BY page.timestamp, page.correlation_id;

-- name: without_execution
SELECT count(*) AS number FROM agent_cost_vector
WHERE metric_type = 'API_Cost' AND correlation_id IS NULL
  AND timestamp >= $1::text::timestamptz AND timestamp < $2::text::timestamptz;

-- name: ledger_rows
SELECT id, to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS timestamp,
  correlation_id::text AS correlation_id, task_id, metric_type, metric_value, llm_model, llm_provider,
  metadata::text AS metadata
FROM agent_cost_vector
WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND metric_type IN (
  'API_Cost', 'Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write', 'Tokens_Reasoning')
ORDER BY id;

-- name: traces
SELECT correlation_id::text AS correlation_id,
  to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at,
  usage::text AS usage, context ->> 'unpriced' AS unpriced, false AS live
FROM execution_traces_archive
WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
UNION ALL
SELECT correlation_id::text, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
  usage::text, context ->> 'unpriced', true
FROM execution_traces
WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY live;

-- name: update_traces
WITH change AS (
  SELECT * FROM json_to_recordset($1::text::json)
    AS change (id uuid, usage jsonb, changed boolean, unpriced text, now timestamptz)
), locked AS MATERIALIZED (
  SELECT correlation_id FROM execution_traces WHERE correlation_id IN (SELECT id FROM change)
  ORDER BY correlation_id FOR NO KEY UPDATE
)
UPDATE execution_traces AS trace SET
  usage = coalesce(nullif(change.usage, 'null'::jsonb), trace.usage),
  context = CASE WHEN NOT change.changed THEN trace.context
    WHEN change.unpriced IS NULL THEN nullif(trace.context - 'unpriced', '{}'::jsonb)
    ELSE jsonb_set(coalesce(trace.context, '{}'::jsonb), ARRAY['unpriced'], to_jsonb(change.unpriced)) END,
  updated_at = change.now
FROM change JOIN locked ON locked.correlation_id = change.id
WHERE trace.correlation_id = change.id;

-- name: update_archived_traces
WITH change AS (
  SELECT * FROM json_to_recordset($1::text::json)
    AS change (id uuid, usage jsonb, changed boolean, unpriced text, now timestamptz)
), locked AS MATERIALIZED (
  SELECT correlation_id FROM execution_traces_archive WHERE correlation_id IN (SELECT id FROM change)
  ORDER BY correlation_id FOR NO KEY UPDATE
)
UPDATE execution_traces_archive AS trace SET
  usage = coalesce(nullif(change.usage, 'null'::jsonb), trace.usage),
  context = CASE WHEN NOT change.changed THEN trace.context
    WHEN change.unpriced IS NULL THEN nullif(trace.context - 'unpriced', '{}'::jsonb)
    ELSE jsonb_set(coalesce(trace.context, '{}'::jsonb), ARRAY['unpriced'], to_jsonb(change.unpriced)) END,
  updated_at = change.now
FROM change JOIN locked ON locked.correlation_id = change.id
WHERE trace.correlation_id = change.id;

-- name: update_costs
UPDATE agent_cost_vector AS cost SET metric_value = change.amount, metadata = change.metadata
FROM json_to_recordset($1::text::json) AS change (id bigint, amount numeric, metadata jsonb)
WHERE cost.id = change.id;

-- A cost that was unknown stands beside the tokens that it is for.
-- name: insert_costs
INSERT INTO agent_cost_vector (
  timestamp, task_id, subtask_id, project_id, user_id, correlation_id, agent_role, agent_version, agent_iteration,
  metric_type, metric_value, metric_unit, nested, llm_model, llm_provider, metadata
)
SELECT tokens.timestamp, tokens.task_id, tokens.subtask_id, tokens.project_id, tokens.user_id, tokens.correlation_id,
  tokens.agent_role, tokens.agent_version, tokens.agent_iteration, 'API_Cost', change.amount, 'USD', tokens.nested,
  tokens.llm_model, tokens.llm_provider, change.metadata
FROM json_to_recordset($1::text::json) AS change ("like" bigint, amount numeric, metadata jsonb)
JOIN agent_cost_vector AS tokens ON tokens.id = change."like"
ORDER BY tokens.id;

-- What the fixing of a defect cost was added up batch by batch, so it is corrected by the difference.
-- name: correct_efforts
WITH effort AS (
  SELECT * FROM json_to_recordset($1::text::json) AS effort (id text, difference numeric)
), locked AS MATERIALIZED (
  SELECT defect_id FROM defect_log WHERE defect_id IN (SELECT id FROM effort) ORDER BY defect_id FOR NO KEY UPDATE
)
UPDATE defect_log AS defect SET effort_to_fix_json = jsonb_set(
  coalesce(defect.effort_to_fix_json, '{}'::jsonb), ARRAY['api_cost_usd'], to_jsonb(trim_scale(
    coalesce((defect.effort_to_fix_json ->> 'api_cost_usd')::numeric, 0) + effort.difference)))
FROM effort JOIN locked ON locked.defect_id = effort.id
WHERE defect.defect_id = effort.id;
