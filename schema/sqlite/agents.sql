-- What the registry of agents asks of an SQLite database and does to it; each block is one statement, by the name in its
-- first line. Definitions and ids come as JSON arrays, moments as UTC text.

-- name: known
SELECT id, agent_name AS name, agent_version AS version, definition_hash AS digest, is_active AS active,
  registry_path AS path
FROM agent_definitions
ORDER BY agent_name, agent_version;

-- A changed definition of the same version takes the place of the old one; what was measured of the agent stays.
-- name: write_definitions
INSERT INTO agent_definitions (
  agent_name, agent_version, agent_type, yaml_config, parsed_metadata, capabilities, domain, triggers, trigger_patterns,
  is_active, status, registry_path, definition_hash, created_at, updated_at, last_loaded_at)
SELECT json_extract(one.value, '$.name'), json_extract(one.value, '$.version'), json_extract(one.value, '$.type'),
  json_extract(one.value, '$.content'), json_extract(one.value, '$.metadata'),
  json_extract(one.value, '$.capabilities'), json_extract(one.value, '$.domain'),
  json_extract(one.value, '$.triggers'), json_extract(one.value, '$.trigger_patterns'),
  1, json_extract(one.value, '$.status'), json_extract(one.value, '$.path'), json_extract(one.value, '$.digest'),
  ?2, ?2, ?2
FROM json_each(?1) AS one
WHERE true  -- else SQLite takes ON CONFLICT for the condition of a join
ON CONFLICT (agent_name, agent_version) DO UPDATE SET
  agent_type = excluded.agent_type, yaml_config = excluded.yaml_config, parsed_metadata = excluded.parsed_metadata,
  capabilities = excluded.capabilities, domain = excluded.domain, triggers = excluded.triggers,
  trigger_patterns = excluded.trigger_patterns, is_active = 1, status = excluded.status,
  registry_path = excluded.registry_path, definition_hash = excluded.definition_hash, updated_at = excluded.updated_at,
  last_loaded_at = excluded.last_loaded_at;

-- name: keep
UPDATE agent_definitions
SET is_active = 1, registry_path = json_extract(one.value, '$.path'), last_loaded_at = ?2
FROM json_each(?1) AS one
WHERE agent_definitions.id = json_extract(one.value, '$.id');

-- name: deactivate
UPDATE agent_definitions SET is_active = 0 WHERE id IN (SELECT value FROM json_each(?1));

-- What active agents have achieved since ?1. An agent is what an execution bears as its name or as its role. Executions
-- tell how often it succeeds and how long it takes; where there are none, transformations to it do; where there are none
-- of these either, validated routings. Who had nothing to do keeps its figures.
-- name: refresh
WITH outcomes AS (
  SELECT name AS agent, 1 AS source, status = 'success' AS success, duration_ms AS ms, NULL AS quality
  FROM execution_traces
  WHERE kind = 'agent' AND status <> 'in_progress' AND started_at >= ?1
  UNION ALL
  SELECT agent_role, 1, status = 'success', duration_ms, NULL
  FROM execution_traces
  WHERE kind = 'agent' AND status <> 'in_progress' AND started_at >= ?1 AND agent_role <> name
  UNION ALL
  SELECT target_agent, 2, success, total_execution_duration_ms, quality_score
  FROM agent_transformation_events
  WHERE (success IS NOT NULL OR quality_score IS NOT NULL) AND started_at >= ?1
  UNION ALL
  SELECT selected_agent, 3, actual_success, NULL, actual_quality_score
  FROM router_performance_metrics
  WHERE selection_validated AND measured_at >= ?1
), figures AS (
  SELECT agent, source, avg(success) AS rate, avg(ms) AS ms FROM outcomes GROUP BY agent, source
), qualities AS (
  SELECT agent, avg(quality) AS quality FROM outcomes GROUP BY agent
), measured AS (
  SELECT qualities.agent, round(qualities.quality, 4) AS quality,
    round(coalesce(
      max(rate) FILTER (WHERE source = 1), max(rate) FILTER (WHERE source = 2), max(rate) FILTER (WHERE source = 3)
    ), 4) AS rate,
    cast(min(round(coalesce(max(ms) FILTER (WHERE source = 1), max(ms) FILTER (WHERE source = 2))), 2147483647)
      AS INTEGER) AS ms
  FROM qualities JOIN figures USING (agent)
  GROUP BY qualities.agent, qualities.quality
)
UPDATE agent_definitions SET
  success_rate = coalesce(measured.rate, success_rate),
  quality_score = coalesce(measured.quality, quality_score),
  avg_execution_time_ms = coalesce(measured.ms, avg_execution_time_ms)
FROM measured
WHERE agent_name = measured.agent AND is_active AND (
  coalesce(measured.rate, success_rate) IS NOT success_rate
  OR coalesce(measured.quality, quality_score) IS NOT quality_score
  OR coalesce(measured.ms, avg_execution_time_ms) IS NOT avg_execution_time_ms)
RETURNING agent_name AS name, agent_version AS version;
