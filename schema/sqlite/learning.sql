-- What learning asks of an SQLite database and does to it; each block is one statement, by the name in its first line. Sets
-- of ids and of rows come as JSON arrays. Who acts holds the write lock. A root that has been learned from bears
-- `learned_at` in its context, a failure that has been counted `counted_at`: so each is looked at once, and moves along with
-- its row into archives, copies and backups.

-- Where the next run begins: a week before the newest root that was learned from, for what was committed late.
-- name: learned_until
SELECT datetime(started_at, '-7 days') || '.000000' AS since FROM execution_traces
WHERE parent_id IS NULL AND json_extract(context, '$.learned_at') IS NOT NULL
ORDER BY started_at DESC LIMIT 1;

-- Roots that ended before ?2 with all that is known to belong to them, behind where the page before has ended (?3, ?4).
-- name: unlearned
SELECT top.correlation_id, top.root_id, top.started_at FROM execution_traces AS top
WHERE top.started_at >= ?1 AND (top.started_at, top.correlation_id) > (?3, ?4)
  AND top.parent_id IS NULL AND top.status NOT IN ('in_progress', 'abandoned') AND top.completed_at < ?2
  AND json_extract(top.context, '$.learned_at') IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM execution_traces AS other WHERE other.root_id = top.root_id AND other.status = 'in_progress')
ORDER BY top.started_at, top.correlation_id LIMIT ?5;

-- name: mark_learned
UPDATE execution_traces SET context = json_set(coalesce(context, '{}'), '$.learned_at', ?2)
WHERE correlation_id IN (SELECT value FROM json_each(?1)) AND json_extract(context, '$.learned_at') IS NULL
RETURNING correlation_id;

-- name: executions
SELECT correlation_id, root_id, parent_id, source, prompt_text, kind, name, agent_role, task_id, environment, started_at,
  completed_at, duration_ms, status, error_type, error_message, tags
FROM execution_traces WHERE root_id IN (SELECT value FROM json_each(?1))
ORDER BY started_at, correlation_id;

-- name: hooks
SELECT hook.correlation_id, trace.root_id, hook.hook_type, hook.tool_name, hook.status, hook.success,
  hook.intelligence_functions_executed, hook.rag_queries_executed, hook.quality_gates_validated, hook.context
FROM execution_traces AS trace JOIN hook_executions AS hook ON hook.correlation_id = trace.correlation_id
WHERE trace.root_id IN (SELECT value FROM json_each(?1))
ORDER BY hook.started_at, hook.id;

-- name: calls
SELECT call.correlation_id, trace.root_id, call.service_name, call.endpoint_path, call.http_method, call.success
FROM execution_traces AS trace JOIN endpoint_calls AS call ON call.correlation_id = trace.correlation_id
WHERE trace.root_id IN (SELECT value FROM json_each(?1))
ORDER BY call.started_at, call.id;

-- name: decisions
SELECT decision.correlation_id, trace.root_id, decision.user_request, decision.selected_agent, decision.routing_strategy,
  decision.pattern_id, decision.confidence_total
FROM execution_traces AS trace JOIN agent_routing_decisions AS decision ON decision.correlation_id = trace.correlation_id
WHERE trace.root_id IN (SELECT value FROM json_each(?1))
ORDER BY decision.created_at, decision.id;

-- name: verdicts
SELECT verdict.correlation_id, trace.root_id, verdict.actual_success, verdict.feedback_type
FROM execution_traces AS trace JOIN router_performance_metrics AS verdict ON verdict.correlation_id = trace.correlation_id
WHERE trace.root_id IN (SELECT value FROM json_each(?1))
  AND coalesce(verdict.actual_success, verdict.feedback_type) IS NOT NULL;

-- name: transformations
SELECT event.correlation_id, trace.root_id, event.event_type, event.success
FROM execution_traces AS trace
JOIN agent_transformation_events AS event ON event.correlation_id = trace.correlation_id
WHERE trace.root_id IN (SELECT value FROM json_each(?1))
ORDER BY event.started_at, event.id;

-- name: tasks
SELECT task_id, task_type, project_id, status FROM task_metadata WHERE task_id IN (SELECT value FROM json_each(?1));

-- name: patterns_state
SELECT count(*) AS number, coalesce(max(updated_at), '') AS newest, coalesce(sum(total_usage_count), 0) AS uses
FROM success_patterns;

-- name: patterns
SELECT id, source_correlation_id, prompt_text, intent, keywords, agent, routing_strategy, hook_sequence, endpoint_pattern,
  avg_duration_ms, min_duration_ms, max_duration_ms, avg_hook_count, avg_endpoint_count, avg_rag_query_count, success_score,
  success_rate, total_usage_count, context, tags, updated_at
FROM success_patterns WHERE updated_at >= ?1 ORDER BY id;

-- name: vectors
SELECT id, prompt_embedding AS vector FROM success_patterns
WHERE updated_at >= ?1 AND prompt_embedding IS NOT NULL AND json_extract(context, '$.embedder') = ?2;

-- name: vectors_of
SELECT id, prompt_embedding AS vector FROM success_patterns
WHERE id IN (SELECT value FROM json_each(?1)) AND prompt_embedding IS NOT NULL
  AND json_extract(context, '$.embedder') = ?2;

-- name: insert_patterns
INSERT INTO success_patterns (
  id, source_correlation_id, prompt_text, prompt_embedding, intent, keywords, agent, routing_strategy, hook_sequence,
  endpoint_pattern, avg_duration_ms, min_duration_ms, max_duration_ms, avg_hook_count, avg_endpoint_count,
  avg_rag_query_count, success_score, context, tags, created_at, updated_at)
SELECT
  value ->> '$.id', value ->> '$.source_correlation_id', value ->> '$.prompt_text', value -> '$.prompt_embedding',
  value ->> '$.intent', value -> '$.keywords', value ->> '$.agent', value ->> '$.routing_strategy',
  value -> '$.hook_sequence', value -> '$.endpoint_pattern', value ->> '$.avg_duration_ms', value ->> '$.min_duration_ms',
  value ->> '$.max_duration_ms', value ->> '$.avg_hook_count', value ->> '$.avg_endpoint_count',
  value ->> '$.avg_rag_query_count', value ->> '$.success_score', value -> '$.context', value -> '$.tags',
  value ->> '$.now', value ->> '$.now'
FROM json_each(?1);

-- name: update_patterns
UPDATE success_patterns AS pattern SET
  keywords = change.value -> '$.keywords', hook_sequence = change.value -> '$.hook_sequence',
  endpoint_pattern = change.value -> '$.endpoint_pattern', avg_duration_ms = change.value ->> '$.avg_duration_ms',
  min_duration_ms = change.value ->> '$.min_duration_ms', max_duration_ms = change.value ->> '$.max_duration_ms',
  avg_hook_count = change.value ->> '$.avg_hook_count', avg_endpoint_count = change.value ->> '$.avg_endpoint_count',
  avg_rag_query_count = change.value ->> '$.avg_rag_query_count', success_score = change.value ->> '$.success_score',
  context = json_patch(coalesce(context, '{}'), change.value -> '$.context'), tags = change.value -> '$.tags', updated_at = change.value ->> '$.now'
FROM json_each(?1) AS change WHERE pattern.id = change.value ->> '$.id';

-- name: update_vectors
UPDATE success_patterns AS pattern SET
  prompt_embedding = change.value -> '$.prompt_embedding',
  context = json_set(coalesce(context, '{}'), '$.embedder', change.value ->> '$.embedder'),
  updated_at = change.value ->> '$.now'
FROM json_each(?1) AS change WHERE pattern.id = change.value ->> '$.id';

-- name: usages
SELECT id, pattern_id, correlation_id, used, outcome, expected_duration_ms, used_at FROM pattern_usage_log
WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: usage
SELECT id, pattern_id, correlation_id, used, outcome, expected_duration_ms, used_at FROM pattern_usage_log WHERE id = ?1;

-- name: insert_usages
INSERT INTO pattern_usage_log (
  id, pattern_id, correlation_id, user_request, match_score, used, outcome, success, deviations, expected_duration_ms,
  actual_duration_ms, performance_variance, user_feedback, used_at)
SELECT
  value ->> '$.id', value ->> '$.pattern_id', value ->> '$.correlation_id', value ->> '$.user_request',
  value ->> '$.match_score', value ->> '$.used', value ->> '$.outcome', value ->> '$.success',
  nullif(value -> '$.deviations', 'null'), value ->> '$.expected_duration_ms', value ->> '$.actual_duration_ms',
  value ->> '$.performance_variance', value ->> '$.user_feedback', value ->> '$.used_at'
FROM json_each(?1);

-- name: update_usages
UPDATE pattern_usage_log AS log SET
  outcome = change.value ->> '$.outcome', success = change.value ->> '$.success',
  deviations = coalesce(nullif(change.value -> '$.deviations', 'null'), deviations),
  actual_duration_ms = coalesce(change.value ->> '$.actual_duration_ms', actual_duration_ms),
  performance_variance = coalesce(change.value ->> '$.performance_variance', performance_variance),
  user_feedback = coalesce(change.value ->> '$.user_feedback', user_feedback)
FROM json_each(?1) AS change WHERE log.id = change.value ->> '$.id';

-- What a trigger does on PostgreSQL: the difference that new, told and corrected outcomes make.
-- name: count_uses
UPDATE success_patterns AS pattern SET
  total_usage_count = total_usage_count + (change.value ->> '$.known'),
  success_count = success_count + (change.value ->> '$.won'),
  failure_count = failure_count + (change.value ->> '$.lost'),
  last_used_at = CASE WHEN change.value ->> '$.used'
    THEN max(coalesce(last_used_at, ''), change.value ->> '$.used_at') ELSE last_used_at END,
  updated_at = change.value ->> '$.now'
FROM json_each(?1) AS change WHERE pattern.id = change.value ->> '$.pattern_id';

-- name: chains
SELECT id, primary_agent, delegated_agents, delegation_depth, trigger_context, success_rate, usage_count,
  avg_total_duration_ms, avg_coordination_overhead_ms, source_traces, last_used_at
FROM agent_chaining_patterns WHERE primary_agent IN (SELECT value FROM json_each(?1));

-- name: insert_chains
INSERT INTO agent_chaining_patterns (
  id, primary_agent, delegated_agents, delegation_depth, trigger_context, success_rate, usage_count, avg_total_duration_ms,
  avg_coordination_overhead_ms, source_traces, created_at, last_used_at, updated_at)
SELECT
  value ->> '$.id', value ->> '$.primary_agent', value -> '$.delegated_agents', value ->> '$.delegation_depth',
  value ->> '$.trigger_context', value ->> '$.success_rate', value ->> '$.usage_count', value ->> '$.avg_total_duration_ms',
  value ->> '$.avg_coordination_overhead_ms', value -> '$.source_traces', value ->> '$.now', value ->> '$.last_used_at',
  value ->> '$.now'
FROM json_each(?1);

-- name: update_chains
UPDATE agent_chaining_patterns AS chain SET
  success_rate = change.value ->> '$.success_rate', usage_count = change.value ->> '$.usage_count',
  avg_total_duration_ms = change.value ->> '$.avg_total_duration_ms',
  avg_coordination_overhead_ms = change.value ->> '$.avg_coordination_overhead_ms',
  source_traces = change.value -> '$.source_traces', last_used_at = change.value ->> '$.last_used_at',
  updated_at = change.value ->> '$.now'
FROM json_each(?1) AS change WHERE chain.id = change.value ->> '$.id';

-- Failures that nobody has counted; `passed_on` is one that an execution inside has had already.
-- name: uncounted_executions
SELECT failed.correlation_id AS id, failed.correlation_id, failed.root_id, failed.started_at,
  coalesce(failed.completed_at, failed.started_at) AS completed_at,
  failed.parent_id, failed.status, failed.error_type, failed.error_message,
  EXISTS (
    SELECT 1 FROM execution_traces AS inner_one
    WHERE inner_one.root_id = failed.root_id AND inner_one.parent_id = failed.correlation_id
      AND inner_one.status = failed.status AND inner_one.error_type IS failed.error_type
      AND inner_one.error_message IS failed.error_message) AS passed_on
FROM execution_traces AS failed
WHERE failed.status IN ('error', 'timeout') AND failed.started_at >= ?1 AND coalesce(failed.completed_at, failed.started_at) < ?2
  AND (failed.started_at, failed.correlation_id) > (?3, ?4) AND json_extract(failed.context, '$.counted_at') IS NULL
ORDER BY failed.started_at, failed.correlation_id LIMIT ?5;

-- name: uncounted_hooks
SELECT hook.id, hook.correlation_id, trace.root_id, hook.started_at,
  coalesce(hook.completed_at, hook.started_at) AS completed_at, hook.status, hook.hook_type,
  hook.error_message
FROM hook_executions AS hook LEFT JOIN execution_traces AS trace ON trace.correlation_id = hook.correlation_id
WHERE hook.started_at >= ?1 AND coalesce(hook.completed_at, hook.started_at) < ?2 AND (hook.started_at, hook.id) > (?3, ?4)
  AND (hook.status IN ('error', 'timeout') OR hook.success = 0) AND json_extract(hook.context, '$.counted_at') IS NULL
ORDER BY hook.started_at, hook.id LIMIT ?5;

-- name: uncounted_calls
SELECT call.id, call.correlation_id, trace.root_id, call.started_at,
  coalesce(call.completed_at, call.started_at) AS completed_at, call.endpoint_path,
  call.response_status, call.error_type, call.error_message
FROM endpoint_calls AS call LEFT JOIN execution_traces AS trace ON trace.correlation_id = call.correlation_id
WHERE call.started_at >= ?1 AND coalesce(call.completed_at, call.started_at) < ?2 AND (call.started_at, call.id) > (?3, ?4)
  AND call.success = 0 AND json_extract(call.context, '$.counted_at') IS NULL
ORDER BY call.started_at, call.id LIMIT ?5;

-- name: mark_executions
UPDATE execution_traces SET context = json_set(coalesce(context, '{}'), '$.counted_at', ?2)
WHERE correlation_id IN (SELECT value FROM json_each(?1)) AND json_extract(context, '$.counted_at') IS NULL
RETURNING correlation_id AS id;

-- name: mark_hooks
UPDATE hook_executions SET context = json_set(coalesce(context, '{}'), '$.counted_at', ?2)
WHERE id IN (SELECT value FROM json_each(?1)) AND json_extract(context, '$.counted_at') IS NULL RETURNING id;

-- name: mark_calls
UPDATE endpoint_calls SET context = json_set(coalesce(context, '{}'), '$.counted_at', ?2)
WHERE id IN (SELECT value FROM json_each(?1)) AND json_extract(context, '$.counted_at') IS NULL RETURNING id;

-- The newest ten executions that had it; the worst that was ever said of it.
-- name: count_error
INSERT INTO error_patterns AS known (
  id, error_type, error_message_pattern, agent, hook_type, endpoint_path, occurrence_count, first_seen_at, last_seen_at,
  sample_correlation_ids, severity, created_at, updated_at)
VALUES (
  ?1 ->> '$.id', ?1 ->> '$.error_type', ?1 ->> '$.error_message_pattern', ?1 ->> '$.agent', ?1 ->> '$.hook_type',
  ?1 ->> '$.endpoint_path', ?1 ->> '$.occurrence_count', ?1 ->> '$.first_seen_at', ?1 ->> '$.last_seen_at',
  ?1 -> '$.samples', ?1 ->> '$.severity', ?1 ->> '$.now', ?1 ->> '$.now')
ON CONFLICT (error_type, error_message_pattern, ifnull(agent, ''), ifnull(hook_type, ''), ifnull(endpoint_path, ''))
DO UPDATE SET
  occurrence_count = known.occurrence_count + excluded.occurrence_count,
  first_seen_at = min(known.first_seen_at, excluded.first_seen_at),
  last_seen_at = max(known.last_seen_at, excluded.last_seen_at),
  sample_correlation_ids = (
    SELECT json_group_array(sample) FROM (
      SELECT value AS sample FROM json_each(excluded.sample_correlation_ids)
      UNION ALL
      SELECT value FROM json_each(known.sample_correlation_ids)
      WHERE value NOT IN (SELECT value FROM json_each(excluded.sample_correlation_ids))
      LIMIT 10)),
  severity = CASE WHEN 'high' IN (known.severity, excluded.severity) AND known.severity IS NOT 'critical' THEN 'high'
    ELSE coalesce(known.severity, excluded.severity) END,
  updated_at = excluded.updated_at
RETURNING created_at = updated_at AS is_new;
