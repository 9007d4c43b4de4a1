-- What is asked of the registry of agents; both databases understand it. `:name` marks a value.

-- name: candidates
SELECT
  id AS definition_id, agent_name AS name, agent_version AS version, agent_type AS type, domain, capabilities, triggers,
  trigger_patterns, parsed_metadata AS metadata, success_rate, quality_score, avg_execution_time_ms
FROM agent_definitions
WHERE is_active AND status = 'active';

-- name: listed
SELECT
  agent_name AS name, agent_version AS version, agent_type AS type, domain, capabilities, is_active AS active, status,
  success_rate, quality_score, avg_execution_time_ms, registry_path AS path, last_loaded_at
FROM agent_definitions;
