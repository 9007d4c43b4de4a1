-- What was learned from traces beside patterns of success; both databases understand it.

-- name: errors
SELECT
  id AS pattern_id, error_type, error_message_pattern AS message, agent, hook_type, endpoint_path,
  occurrence_count AS occurrences, severity, first_seen_at, last_seen_at
FROM error_patterns
WHERE last_seen_at >= :since AND last_seen_at < :until
ORDER BY occurrences DESC, id
LIMIT coalesce(CAST(:limit AS bigint), 100);

-- name: chains
SELECT
  id AS pattern_id, primary_agent, delegated_agents, delegation_depth, trigger_context AS intent, usage_count AS uses,
  success_rate, avg_total_duration_ms AS average_ms, avg_coordination_overhead_ms AS average_overhead_ms, last_used_at
FROM agent_chaining_patterns
WHERE coalesce(last_used_at, created_at) >= :since AND coalesce(last_used_at, created_at) < :until
ORDER BY uses DESC, id
LIMIT coalesce(CAST(:limit AS bigint), 100);
