-- What learning asks of a PostgreSQL database and does to it; each block is one statement, by the name in its first line.
-- Sets of ids and of rows come as JSON arrays, moments as UTC text. A root that has been learned from bears `learned_at` in
-- its context, a failure that has been counted `counted_at`: so each is looked at once, and moves along with its row into
-- archives, copies and backups.

-- Two who learn at once would learn the same request twice.
-- name: be_the_only_one
SELECT pg_advisory_xact_lock(hashtextextended(id::text, 3)) FROM database_identity;

-- Where the next run begins: a week before the newest root that was learned from, for what was committed late.
-- name: learned_until
SELECT to_char((started_at - interval '7 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS since
FROM execution_traces
WHERE parent_id IS NULL AND context ->> 'learned_at' IS NOT NULL
ORDER BY started_at DESC LIMIT 1;

-- Roots that ended before $2 with all that is known to belong to them, behind where the page before has ended ($3, $4).
-- name: unlearned
SELECT top.correlation_id::text, top.root_id::text,
  to_char(top.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at
FROM execution_traces AS top
WHERE top.started_at >= $1::text::timestamptz
  AND (top.started_at, top.correlation_id) > ($3::text::timestamptz, $4::text::uuid)
  AND top.parent_id IS NULL AND top.status NOT IN ('in_progress', 'abandoned')
  AND top.completed_at < $2::text::timestamptz AND top.context ->> 'learned_at' IS NULL
  AND NOT EXISTS (
    SELECT FROM execution_traces AS other WHERE other.root_id = top.root_id AND other.status = 'in_progress')
ORDER BY top.started_at, top.correlation_id LIMIT $5::integer;

-- Locked in the order in which writers lock them, so that nobody waits in a circle.
-- name: mark_learned
WITH locked AS MATERIALIZED (
  SELECT correlation_id FROM execution_traces
  WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND context ->> 'learned_at' IS NULL
  ORDER BY correlation_id FOR NO KEY UPDATE
)
UPDATE execution_traces AS trace
SET context = coalesce(trace.context, '{}') || jsonb_build_object('learned_at', $2::text)
FROM locked WHERE trace.correlation_id = locked.correlation_id
RETURNING trace.correlation_id::text AS correlation_id;

-- name: executions
SELECT correlation_id::text, root_id::text, parent_id::text, source, prompt_text, kind, name, agent_role, task_id,
  environment,
  to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at,
  to_char(completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS completed_at,
  duration_ms::float8, status, error_type, error_message, to_json(tags)::text AS tags
FROM execution_traces WHERE root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY execution_traces.started_at, execution_traces.correlation_id;

-- name: hooks
SELECT hook.correlation_id::text, trace.root_id::text, hook.hook_type, hook.tool_name, hook.status, hook.success,
  to_json(hook.intelligence_functions_executed)::text AS intelligence_functions_executed,
  hook.rag_queries_executed::text, to_json(hook.quality_gates_validated)::text AS quality_gates_validated,
  hook.context::text
FROM execution_traces AS trace JOIN hook_executions AS hook ON hook.correlation_id = trace.correlation_id
WHERE trace.root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY hook.started_at, hook.id;

-- name: calls
SELECT call.correlation_id::text, trace.root_id::text, call.service_name, call.endpoint_path, call.http_method,
  call.success
FROM execution_traces AS trace JOIN endpoint_calls AS call ON call.correlation_id = trace.correlation_id
WHERE trace.root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY call.started_at, call.id;

-- name: decisions
SELECT decision.correlation_id::text, trace.root_id::text, decision.user_request, decision.selected_agent,
  decision.routing_strategy, decision.pattern_id::text, decision.confidence_total::float8
FROM execution_traces AS trace JOIN agent_routing_decisions AS decision ON decision.correlation_id = trace.correlation_id
WHERE trace.root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY decision.created_at, decision.id;

-- name: verdicts
SELECT verdict.correlation_id::text, trace.root_id::text, verdict.actual_success, verdict.feedback_type
FROM execution_traces AS trace
JOIN router_performance_metrics AS verdict ON verdict.correlation_id = trace.correlation_id
WHERE trace.root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
  AND (verdict.actual_success IS NOT NULL OR verdict.feedback_type IS NOT NULL);

-- name: transformations
SELECT event.correlation_id::text, trace.root_id::text, event.event_type, event.success
FROM execution_traces AS trace
JOIN agent_transformation_events AS event ON event.correlation_id = trace.correlation_id
WHERE trace.root_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid))
ORDER BY event.started_at, event.id;

-- name: tasks
SELECT task_id, task_type, project_id, status FROM task_metadata
WHERE task_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)));

-- name: patterns_state
SELECT count(*) AS number,
  coalesce(to_char(max(updated_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '') AS newest,
  coalesce(sum(total_usage_count), 0) AS uses
FROM success_patterns;

-- name: patterns
SELECT id::text, source_correlation_id::text, prompt_text, intent, to_json(keywords)::text AS keywords, agent,
  routing_strategy, hook_sequence::text, endpoint_pattern::text, avg_duration_ms::float8, min_duration_ms::float8,
  max_duration_ms::float8, avg_hook_count::float8, avg_endpoint_count::float8, avg_rag_query_count::float8,
  success_score::float8, success_rate::float8, total_usage_count, context::text, to_json(tags)::text AS tags,
  to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS updated_at
FROM success_patterns WHERE success_patterns.updated_at >= $1::text::timestamptz ORDER BY success_patterns.id;

-- The binary form of an array, because a million numbers as objects take seconds.
-- name: vectors
SELECT id::text, array_send(prompt_embedding) AS vector FROM success_patterns
WHERE updated_at >= $1::text::timestamptz AND prompt_embedding IS NOT NULL AND context ->> 'embedder' = $2::text;

-- name: vectors_of
SELECT id::text, array_send(prompt_embedding) AS vector FROM success_patterns
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND prompt_embedding IS NOT NULL AND context ->> 'embedder' = $2::text;

-- How wide the vectors are that optional/pgvector.sql has indexed.
-- name: indexed_width
SELECT substring(obj_description(to_regclass('idx_pattern_embedding'), 'pg_class') FROM '^embedding width (\d+)$')::integer
  AS width;

-- name: search_widely
SELECT set_config('hnsw.ef_search', '400', true);

-- name: nearest
SELECT pattern_id::text AS id, similarity
FROM asp_match_patterns(ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::real), -1, $2::integer);

-- Changes are followed by their time, so all of it is the server's: clocks of machines differ.
-- name: insert_patterns
INSERT INTO success_patterns (
  id, source_correlation_id, prompt_text, prompt_embedding, intent, keywords, agent, routing_strategy, hook_sequence,
  endpoint_pattern, avg_duration_ms, min_duration_ms, max_duration_ms, avg_hook_count, avg_endpoint_count,
  avg_rag_query_count, success_score, context, tags, created_at, updated_at)
SELECT
  id, source_correlation_id, prompt_text, ARRAY(SELECT jsonb_array_elements_text(prompt_embedding)::real), intent,
  ARRAY(SELECT jsonb_array_elements_text(keywords)), agent, routing_strategy, hook_sequence, endpoint_pattern,
  avg_duration_ms, min_duration_ms, max_duration_ms, avg_hook_count, avg_endpoint_count, avg_rag_query_count, success_score,
  context, ARRAY(SELECT jsonb_array_elements_text(tags)), clock_timestamp(), clock_timestamp()
FROM jsonb_to_recordset($1::text::jsonb) AS new (
  id uuid, source_correlation_id uuid, prompt_text text, prompt_embedding jsonb, intent text, keywords jsonb, agent text,
  routing_strategy text, hook_sequence jsonb, endpoint_pattern jsonb, avg_duration_ms numeric, min_duration_ms numeric,
  max_duration_ms numeric, avg_hook_count numeric, avg_endpoint_count numeric, avg_rag_query_count numeric,
  success_score numeric, context jsonb, tags jsonb);

-- name: update_patterns
UPDATE success_patterns AS pattern SET
  keywords = ARRAY(SELECT jsonb_array_elements_text(change.keywords)), hook_sequence = change.hook_sequence,
  endpoint_pattern = change.endpoint_pattern, avg_duration_ms = change.avg_duration_ms,
  min_duration_ms = change.min_duration_ms, max_duration_ms = change.max_duration_ms,
  avg_hook_count = change.avg_hook_count, avg_endpoint_count = change.avg_endpoint_count,
  avg_rag_query_count = change.avg_rag_query_count, success_score = change.success_score,
  context = coalesce(pattern.context, '{}') || change.context,
  tags = ARRAY(SELECT jsonb_array_elements_text(change.tags)), updated_at = clock_timestamp()
FROM jsonb_to_recordset($1::text::jsonb) AS change (
  id uuid, keywords jsonb, hook_sequence jsonb, endpoint_pattern jsonb, avg_duration_ms numeric, min_duration_ms numeric,
  max_duration_ms numeric, avg_hook_count numeric, avg_endpoint_count numeric, avg_rag_query_count numeric,
  success_score numeric, context jsonb, tags jsonb)
WHERE pattern.id = change.id;

-- name: update_vectors
UPDATE success_patterns AS pattern SET
  prompt_embedding = ARRAY(SELECT jsonb_array_elements_text(change.prompt_embedding)::real),
  context = coalesce(pattern.context, '{}') || jsonb_build_object('embedder', change.embedder), updated_at = clock_timestamp()
FROM jsonb_to_recordset($1::text::jsonb)
  AS change (id uuid, prompt_embedding jsonb, embedder text)
WHERE pattern.id = change.id;

-- name: usages
SELECT id::text, pattern_id::text, correlation_id::text, used, outcome, expected_duration_ms::float8,
  to_char(used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS used_at
FROM pattern_usage_log WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid));

-- name: usage
SELECT id::text, pattern_id::text, correlation_id::text, used, outcome, expected_duration_ms::float8,
  to_char(used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS used_at
FROM pattern_usage_log WHERE id = $1::text::uuid FOR UPDATE;

-- name: insert_usages
INSERT INTO pattern_usage_log (
  id, pattern_id, correlation_id, user_request, match_score, used, outcome, success, deviations, expected_duration_ms,
  actual_duration_ms, performance_variance, user_feedback, used_at)
SELECT
  id, pattern_id, correlation_id, user_request, match_score, used, outcome, success, nullif(deviations, 'null'::jsonb),
  expected_duration_ms, actual_duration_ms, performance_variance, user_feedback, used_at
FROM jsonb_to_recordset($1::text::jsonb) AS new (
  id uuid, pattern_id uuid, correlation_id uuid, user_request text, match_score numeric, used boolean, outcome text,
  success boolean, deviations jsonb, expected_duration_ms numeric, actual_duration_ms numeric, performance_variance numeric,
  user_feedback text, used_at timestamptz);

-- name: update_usages
UPDATE pattern_usage_log AS log SET
  outcome = change.outcome, success = change.success,
  deviations = coalesce(nullif(change.deviations, 'null'::jsonb), log.deviations),
  actual_duration_ms = coalesce(change.actual_duration_ms, log.actual_duration_ms),
  performance_variance = coalesce(change.performance_variance, log.performance_variance),
  user_feedback = coalesce(change.user_feedback, log.user_feedback)
FROM jsonb_to_recordset($1::text::jsonb) AS change (
  id uuid, outcome text, success boolean, deviations jsonb, actual_duration_ms numeric, performance_variance numeric,
  user_feedback text)
WHERE log.id = change.id;

-- name: chains
SELECT id::text, primary_agent, to_json(delegated_agents)::text AS delegated_agents, delegation_depth, trigger_context,
  success_rate::float8, usage_count, avg_total_duration_ms::float8, avg_coordination_overhead_ms::float8,
  to_json(source_traces)::text AS source_traces,
  to_char(last_used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS last_used_at
FROM agent_chaining_patterns
WHERE primary_agent = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)));

-- name: insert_chains
INSERT INTO agent_chaining_patterns (
  id, primary_agent, delegated_agents, delegation_depth, trigger_context, success_rate, usage_count, avg_total_duration_ms,
  avg_coordination_overhead_ms, source_traces, created_at, last_used_at, updated_at)
SELECT
  id, primary_agent, ARRAY(SELECT jsonb_array_elements_text(delegated_agents)), delegation_depth, trigger_context,
  success_rate, usage_count, avg_total_duration_ms, avg_coordination_overhead_ms,
  ARRAY(SELECT jsonb_array_elements_text(source_traces)::uuid), now, last_used_at, now
FROM jsonb_to_recordset($1::text::jsonb) AS new (
  id uuid, primary_agent text, delegated_agents jsonb, delegation_depth integer, trigger_context text,
  success_rate numeric, usage_count integer, avg_total_duration_ms numeric, avg_coordination_overhead_ms numeric,
  source_traces jsonb, last_used_at timestamptz, now timestamptz);

-- name: update_chains
UPDATE agent_chaining_patterns AS chain SET
  success_rate = change.success_rate, usage_count = change.usage_count,
  avg_total_duration_ms = change.avg_total_duration_ms, avg_coordination_overhead_ms = change.avg_coordination_overhead_ms,
  source_traces = ARRAY(SELECT jsonb_array_elements_text(change.source_traces)::uuid), last_used_at = change.last_used_at,
  updated_at = change.now
FROM jsonb_to_recordset($1::text::jsonb) AS change (
  id uuid, success_rate numeric, usage_count integer, avg_total_duration_ms numeric, avg_coordination_overhead_ms numeric,
  source_traces jsonb, last_used_at timestamptz, now timestamptz)
WHERE chain.id = change.id;

-- Failures that nobody has counted; `passed_on` is one that an execution inside has had already.
-- name: uncounted_executions
SELECT failed.correlation_id::text AS id, failed.correlation_id::text, failed.root_id::text,
  to_char(failed.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at,
  to_char(coalesce(failed.completed_at, failed.started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS completed_at,
  failed.parent_id::text, failed.status, failed.error_type, failed.error_message,
  EXISTS (
    SELECT FROM execution_traces AS inner_one
    WHERE inner_one.root_id = failed.root_id AND inner_one.parent_id = failed.correlation_id
      AND inner_one.status = failed.status AND inner_one.error_type IS NOT DISTINCT FROM failed.error_type
      AND inner_one.error_message IS NOT DISTINCT FROM failed.error_message) AS passed_on
FROM execution_traces AS failed
WHERE failed.status IN ('error', 'timeout') AND failed.started_at >= $1::text::timestamptz
  AND coalesce(failed.completed_at, failed.started_at) < $2::text::timestamptz
  AND (failed.started_at, failed.correlation_id) > ($3::text::timestamptz, $4::text::uuid)
  AND failed.context ->> 'counted_at' IS NULL
ORDER BY failed.started_at, failed.correlation_id LIMIT $5::integer;

-- name: uncounted_hooks
SELECT hook.id::text, hook.correlation_id::text, trace.root_id::text,
  to_char(hook.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at,
  to_char(coalesce(hook.completed_at, hook.started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS completed_at,
  hook.status, hook.hook_type, hook.error_message
FROM hook_executions AS hook LEFT JOIN execution_traces AS trace ON trace.correlation_id = hook.correlation_id
WHERE hook.started_at >= $1::text::timestamptz AND coalesce(hook.completed_at, hook.started_at) < $2::text::timestamptz
  AND (hook.started_at, hook.id) > ($3::text::timestamptz, $4::text::uuid)
  AND (hook.status IN ('error', 'timeout') OR NOT hook.success) AND hook.context ->> 'counted_at' IS NULL
ORDER BY hook.started_at, hook.id LIMIT $5::integer;

-- name: uncounted_calls
SELECT call.id::text, call.correlation_id::text, trace.root_id::text,
  to_char(call.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS started_at,
  to_char(coalesce(call.completed_at, call.started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS completed_at,
  call.endpoint_path, call.response_status, call.error_type, call.error_message
FROM endpoint_calls AS call LEFT JOIN execution_traces AS trace ON trace.correlation_id = call.correlation_id
WHERE call.started_at >= $1::text::timestamptz AND coalesce(call.completed_at, call.started_at) < $2::text::timestamptz
  AND (call.started_at, call.id) > ($3::text::timestamptz, $4::text::uuid)
  AND NOT call.success AND call.context ->> 'counted_at' IS NULL
ORDER BY call.started_at, call.id LIMIT $5::integer;

-- name: mark_executions
WITH locked AS MATERIALIZED (
  SELECT correlation_id FROM execution_traces
  WHERE correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND context ->> 'counted_at' IS NULL
  ORDER BY correlation_id FOR NO KEY UPDATE
)
UPDATE execution_traces AS trace
SET context = coalesce(trace.context, '{}') || jsonb_build_object('counted_at', $2::text)
FROM locked WHERE trace.correlation_id = locked.correlation_id
RETURNING trace.correlation_id::text AS id;

-- name: mark_hooks
UPDATE hook_executions SET context = coalesce(context, '{}') || jsonb_build_object('counted_at', $2::text)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND context ->> 'counted_at' IS NULL
RETURNING id::text;

-- name: mark_calls
UPDATE endpoint_calls SET context = coalesce(context, '{}') || jsonb_build_object('counted_at', $2::text)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)::uuid)) AND context ->> 'counted_at' IS NULL
RETURNING id::text;

-- The newest ten executions that had it; the worst that was ever said of it.
-- name: count_error
INSERT INTO error_patterns AS known (
  id, error_type, error_message_pattern, agent, hook_type, endpoint_path, occurrence_count, first_seen_at, last_seen_at,
  sample_correlation_ids, severity, created_at, updated_at)
SELECT
  id, error_type, error_message_pattern, agent, hook_type, endpoint_path, occurrence_count, first_seen_at, last_seen_at,
  ARRAY(SELECT jsonb_array_elements_text(samples)::uuid), severity, now, now
FROM jsonb_to_record($1::text::jsonb) AS new (
  id uuid, error_type text, error_message_pattern text, agent text, hook_type text, endpoint_path text,
  occurrence_count integer, first_seen_at timestamptz, last_seen_at timestamptz, samples jsonb, severity text,
  now timestamptz)
ON CONFLICT (error_type, md5(error_message_pattern), agent, hook_type, endpoint_path) DO UPDATE SET
  occurrence_count = known.occurrence_count + excluded.occurrence_count,
  first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
  last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
  sample_correlation_ids = (
    excluded.sample_correlation_ids || ARRAY(
      SELECT sample FROM unnest(known.sample_correlation_ids) WITH ORDINALITY AS old (sample, place)
      WHERE sample <> ALL (excluded.sample_correlation_ids) ORDER BY place))[1:10],
  severity = CASE WHEN 'high' IN (known.severity, excluded.severity) AND known.severity IS DISTINCT FROM 'critical'
    THEN 'high' ELSE coalesce(known.severity, excluded.severity) END,
  updated_at = excluded.updated_at
RETURNING created_at = updated_at AS is_new;
