-- What `asp-telemetry prune` asks of an SQLite database; each block is one statement, by the name in its first line.
-- ?1 is the moment before which rows are too old, as UTC text, ?2 how many a batch may have; those that act take the ids
-- as a JSON array. Who acts holds the write lock, so that what is archived is what is deleted.

-- name: identity
SELECT id FROM database_identity;

-- name: count_traces
SELECT count(*) FROM execution_traces AS trace
WHERE trace.started_at < ?1 AND NOT EXISTS (
  SELECT 1 FROM execution_traces AS other
  WHERE other.root_id = trace.root_id AND (other.started_at >= ?1 OR other.status = 'in_progress'));

-- Whole trees that have ended, at most ?2 of them.
-- name: due_traces
SELECT trace.* FROM execution_traces AS trace
WHERE trace.root_id IN (
  SELECT DISTINCT old.root_id FROM execution_traces AS old
  WHERE old.started_at < ?1 AND NOT EXISTS (
    SELECT 1 FROM execution_traces AS other
    WHERE other.root_id = old.root_id AND (other.started_at >= ?1 OR other.status = 'in_progress'))
  LIMIT ?2)
ORDER BY trace.correlation_id;

-- The update is for an execution that ended after it had been archived as abandoned.
-- name: archive_traces
INSERT INTO execution_traces_archive
SELECT * FROM execution_traces WHERE correlation_id IN (SELECT value FROM json_each(?1))
ON CONFLICT (correlation_id) DO UPDATE SET
  agent_iteration = excluded.agent_iteration, completed_at = excluded.completed_at,
  duration_ms = excluded.duration_ms, status = excluded.status, success = excluded.success,
  error_message = excluded.error_message, error_type = excluded.error_type, context = excluded.context,
  tags = excluded.tags, usage = excluded.usage, input = excluded.input, output = excluded.output,
  updated_at = excluded.updated_at;

-- name: delete_traces
DELETE FROM execution_traces WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: count_archived_traces
SELECT count(*) FROM execution_traces_archive WHERE started_at < ?1;

-- name: due_archived_traces
SELECT * FROM execution_traces_archive WHERE started_at < ?1 ORDER BY started_at, correlation_id LIMIT ?2;

-- name: delete_archived_traces
DELETE FROM execution_traces_archive WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: count_usage_log
SELECT count(*) FROM pattern_usage_log WHERE used_at < ?1;

-- name: due_usage_log
SELECT * FROM pattern_usage_log WHERE used_at < ?1 ORDER BY used_at, id LIMIT ?2;

-- name: delete_usage_log
DELETE FROM pattern_usage_log WHERE id IN (SELECT value FROM json_each(?1));

-- name: count_patterns
SELECT count(*) FROM success_patterns
WHERE total_usage_count < 5 AND success_rate < 0.5 AND coalesce(last_used_at, created_at) < ?1;

-- name: due_patterns
SELECT * FROM success_patterns
WHERE total_usage_count < 5 AND success_rate < 0.5 AND coalesce(last_used_at, created_at) < ?1
ORDER BY id LIMIT ?2;

-- name: delete_patterns
DELETE FROM success_patterns WHERE id IN (SELECT value FROM json_each(?1));

-- Payloads go and their rows stay. ?3 and ?4 are where the batch before has ended: nothing else tells what was seen.
-- name: count_trace_payloads
SELECT count(*) FROM execution_traces
WHERE started_at < ?1 AND status <> 'in_progress' AND coalesce(prompt_text, input, output) IS NOT NULL;

-- name: due_trace_payloads
SELECT correlation_id, started_at, prompt_text, input, output FROM execution_traces
WHERE started_at < ?1 AND status <> 'in_progress' AND coalesce(prompt_text, input, output) IS NOT NULL
  AND (started_at, correlation_id) > (?3, ?4)
ORDER BY started_at, correlation_id LIMIT ?2;

-- name: delete_trace_payloads
UPDATE execution_traces SET
  prompt_text = NULL, input = NULL, output = NULL, updated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now')
WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: count_archived_payloads
SELECT count(*) FROM execution_traces_archive
WHERE started_at < ?1 AND coalesce(prompt_text, input, output) IS NOT NULL;

-- name: due_archived_payloads
SELECT correlation_id, started_at, prompt_text, input, output FROM execution_traces_archive
WHERE started_at < ?1 AND coalesce(prompt_text, input, output) IS NOT NULL
  AND (started_at, correlation_id) > (?3, ?4)
ORDER BY started_at, correlation_id LIMIT ?2;

-- name: delete_archived_payloads
UPDATE execution_traces_archive SET
  prompt_text = NULL, input = NULL, output = NULL, updated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now')
WHERE correlation_id IN (SELECT value FROM json_each(?1));

-- name: count_endpoint_payloads
SELECT count(*) FROM endpoint_calls
WHERE started_at < ?1 AND coalesce(request_body, response_body, headers) IS NOT NULL;

-- name: due_endpoint_payloads
SELECT id, started_at, request_body, response_body, headers FROM endpoint_calls
WHERE started_at < ?1 AND coalesce(request_body, response_body, headers) IS NOT NULL
  AND (started_at, id) > (?3, ?4)
ORDER BY started_at, id LIMIT ?2;

-- name: delete_endpoint_payloads
UPDATE endpoint_calls SET request_body = NULL, response_body = NULL, headers = NULL
WHERE id IN (SELECT value FROM json_each(?1));

-- A request is never NULL: what is emptied has none.
-- name: count_routing_payloads
SELECT count(*) FROM agent_routing_decisions
WHERE created_at < ?1
  AND (user_request <> '' OR coalesce(selection_reason, alternatives, request_embedding) IS NOT NULL);

-- name: due_routing_payloads
SELECT id, created_at, user_request, selection_reason, alternatives, request_embedding FROM agent_routing_decisions
WHERE created_at < ?1
  AND (user_request <> '' OR coalesce(selection_reason, alternatives, request_embedding) IS NOT NULL)
  AND (created_at, id) > (?3, ?4)
ORDER BY created_at, id LIMIT ?2;

-- name: delete_routing_payloads
UPDATE agent_routing_decisions SET
  user_request = '', selection_reason = NULL, alternatives = NULL, request_embedding = NULL
WHERE id IN (SELECT value FROM json_each(?1));

-- name: count_router_payloads
SELECT count(*) FROM router_performance_metrics
WHERE measured_at < ?1 AND coalesce(alternative_agents, cache_key, feedback_details) IS NOT NULL;

-- name: due_router_payloads
SELECT id, measured_at, alternative_agents, cache_key, feedback_details FROM router_performance_metrics
WHERE measured_at < ?1 AND coalesce(alternative_agents, cache_key, feedback_details) IS NOT NULL
  AND (measured_at, id) > (?3, ?4)
ORDER BY measured_at, id LIMIT ?2;

-- name: delete_router_payloads
UPDATE router_performance_metrics SET alternative_agents = NULL, cache_key = NULL, feedback_details = NULL
WHERE id IN (SELECT value FROM json_each(?1));

-- name: count_hook_payloads
SELECT count(*) FROM hook_executions
WHERE started_at < ?1 AND coalesce(rag_queries_executed, modifications_made, context) IS NOT NULL;

-- name: due_hook_payloads
SELECT id, started_at, rag_queries_executed, modifications_made, context FROM hook_executions
WHERE started_at < ?1 AND coalesce(rag_queries_executed, modifications_made, context) IS NOT NULL
  AND (started_at, id) > (?3, ?4)
ORDER BY started_at, id LIMIT ?2;

-- name: delete_hook_payloads
UPDATE hook_executions SET rag_queries_executed = NULL, modifications_made = NULL, context = NULL
WHERE id IN (SELECT value FROM json_each(?1));
