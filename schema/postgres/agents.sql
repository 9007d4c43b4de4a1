-- What the registry of agents asks of a PostgreSQL database and does to it; each block is one statement, by the name in its
-- first line. Definitions and ids come as JSON arrays, moments as UTC text.

-- Two loads at once would each deactivate what the other has just loaded.
-- name: be_the_only_one
SELECT pg_advisory_xact_lock(hashtextextended(id::text, 6)) FROM database_identity;

-- name: known
SELECT id::text AS id, agent_name AS name, agent_version AS version, definition_hash AS digest, is_active AS active,
  registry_path AS path
FROM agent_definitions
ORDER BY agent_name, agent_version;

-- A changed definition of the same version takes the place of the old one; what was measured of the agent stays.
-- name: write_definitions
INSERT INTO agent_definitions (
  agent_name, agent_version, agent_type, yaml_config, parsed_metadata, capabilities, domain, triggers, trigger_patterns,
  is_active, status, registry_path, definition_hash, created_at, updated_at, last_loaded_at)
SELECT one.name, one.version, one.type, one.content, one.metadata,
  CASE WHEN one.capabilities IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(one.capabilities)) END,
  one.domain,
  CASE WHEN one.triggers IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(one.triggers)) END,
  CASE WHEN one.trigger_patterns IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(one.trigger_patterns)) END,
  true, one.status, one.path, one.digest, $2::text::timestamptz, $2::text::timestamptz,
  $2::text::timestamptz
FROM jsonb_to_recordset($1::text::jsonb) AS one (
  name text, version text, type text, content jsonb, metadata jsonb, capabilities jsonb, domain text, triggers jsonb,
  trigger_patterns jsonb, status text, path text, digest text)
ORDER BY one.name
ON CONFLICT (agent_name, agent_version) DO UPDATE SET
  agent_type = excluded.agent_type, yaml_config = excluded.yaml_config, parsed_metadata = excluded.parsed_metadata,
  capabilities = excluded.capabilities, domain = excluded.domain, triggers = excluded.triggers,
  trigger_patterns = excluded.trigger_patterns, is_active = true, status = excluded.status,
  registry_path = excluded.registry_path, definition_hash = excluded.definition_hash, updated_at = excluded.updated_at,
  last_loaded_at = excluded.last_loaded_at;

-- name: keep
UPDATE agent_definitions AS held
SET is_active = true, registry_path = one.path, last_loaded_at = $2::text::timestamptz
FROM jsonb_to_recordset($1::text::jsonb) AS one (id uuid, path text)
WHERE held.id = one.id;

-- name: deactivate
UPDATE agent_definitions SET is_active = false
WHERE id IN (SELECT jsonb_array_elements_text($1::text::jsonb)::uuid);

-- What active agents have achieved since $1. An agent is what an execution bears as its name or as its role. Executions
-- tell how often it succeeds and how long it takes; where there are none, transformations to it do; where there are none
-- of these either, validated routings. Who had nothing to do keeps its figures.
-- name: refresh
WITH outcomes AS (
  SELECT name AS agent, 1 AS source, status = 'success' AS success, duration_ms AS ms, NULL::numeric AS quality
  FROM execution_traces
  WHERE kind = 'agent' AND status <> 'in_progress' AND started_at >= $1::text::timestamptz
  UNION ALL
  SELECT agent_role, 1, status = 'success', duration_ms, NULL
  FROM execution_traces
  WHERE kind = 'agent' AND status <> 'in_progress' AND started_at >= $1::text::timestamptz
    AND agent_role <> name
  UNION ALL
  SELECT target_agent, 2, success, total_execution_duration_ms, quality_score
  FROM agent_transformation_events
  WHERE (success IS NOT NULL OR quality_score IS NOT NULL) AND started_at >= $1::text::timestamptz
  UNION ALL
  SELECT selected_agent, 3, actual_success, NULL, actual_quality_score
  FROM router_performance_metrics
  WHERE selection_validated AND measured_at >= $1::text::timestamptz
), figures AS (
  SELECT agent, source, avg(success::int) AS rate, avg(ms) AS ms FROM outcomes GROUP BY agent, source
), qualities AS (
  SELECT agent, avg(quality) AS quality FROM outcomes GROUP BY agent
), measured AS (
  SELECT qualities.agent, round(qualities.quality, 4) AS quality,
    round(coalesce(
      max(rate) FILTER (WHERE source = 1), max(rate) FILTER (WHERE source = 2), max(rate) FILTER (WHERE source = 3)
    ), 4) AS rate,
    -- LEAST leaves out what is NULL
    (SELECT least(round(found), 2147483647)::int
     FROM (SELECT coalesce(max(ms) FILTER (WHERE source = 1), max(ms) FILTER (WHERE source = 2)) AS found) AS times
     WHERE found IS NOT NULL) AS ms
  FROM qualities JOIN figures USING (agent)
  GROUP BY qualities.agent, qualities.quality
)
UPDATE agent_definitions AS held SET
  success_rate = coalesce(measured.rate, held.success_rate),
  quality_score = coalesce(measured.quality, held.quality_score),
  avg_execution_time_ms = coalesce(measured.ms, held.avg_execution_time_ms)
FROM measured
WHERE held.agent_name = measured.agent AND held.is_active AND (
  coalesce(measured.rate, held.success_rate) IS DISTINCT FROM held.success_rate
  OR coalesce(measured.quality, held.quality_score) IS DISTINCT FROM held.quality_score
  OR coalesce(measured.ms, held.avg_execution_time_ms) IS DISTINCT FROM held.avg_execution_time_ms)
RETURNING held.agent_name AS name, held.agent_version AS version;
