-- The registry of agents, how they hand work to each other, and how well the router chooses among them.

-- The registry of agents, loaded from YAML files.
CREATE TABLE agent_definitions (
  id                    TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                        || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                        || hex(randomblob(6)))),
  agent_name            TEXT NOT NULL CHECK (length(agent_name) <= 255),
  agent_version         TEXT NOT NULL DEFAULT '1.0.0' CHECK (length(agent_version) <= 50),
  agent_type            TEXT NOT NULL CHECK (length(agent_type) <= 100),
  yaml_config           TEXT NOT NULL CHECK (json_valid(yaml_config)),
  parsed_metadata       TEXT CHECK (parsed_metadata IS NULL OR json_valid(parsed_metadata)),
  capabilities          TEXT CHECK (capabilities IS NULL
                        OR (json_valid(capabilities)
                        AND json_type(capabilities) = 'array')),
  domain                TEXT CHECK (length(domain) <= 100),
  triggers              TEXT CHECK (triggers IS NULL OR (json_valid(triggers) AND json_type(triggers) = 'array')),
  trigger_patterns      TEXT CHECK (trigger_patterns IS NULL
                        OR (json_valid(trigger_patterns)
                        AND json_type(trigger_patterns) = 'array')),
  avg_execution_time_ms INTEGER CHECK (avg_execution_time_ms BETWEEN -2147483648 AND 2147483647),
  success_rate          REAL CHECK (success_rate BETWEEN 0 AND 1),
  quality_score         REAL CHECK (quality_score BETWEEN 0 AND 1),
  is_active             INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
  status                TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deprecated', 'testing')),
  registry_path         TEXT,
  definition_hash       TEXT CHECK (length(definition_hash) <= 64),
  created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (updated_at GLOB '????-??-?? ??:??:??.??????'),
  last_loaded_at        TEXT CHECK (last_loaded_at GLOB '????-??-?? ??:??:??.??????'),
  UNIQUE (agent_name, agent_version)
) STRICT;

CREATE INDEX idx_definition_type ON agent_definitions (agent_type);
CREATE INDEX idx_definition_domain ON agent_definitions (domain);
CREATE INDEX idx_definition_active ON agent_definitions (is_active) WHERE is_active;
CREATE INDEX idx_definition_performance
  ON agent_definitions (success_rate DESC, quality_score DESC, avg_execution_time_ms);

-- One agent becoming or calling another.
CREATE TABLE agent_transformation_events (
  id                          TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                              DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                              || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                              || hex(randomblob(6)))),
  event_type                  TEXT NOT NULL CHECK (length(event_type) <= 100),
  correlation_id              TEXT NOT NULL CHECK (length(correlation_id) = 36),
  session_id                  TEXT,
  source_agent                TEXT CHECK (length(source_agent) <= 255),
  target_agent                TEXT NOT NULL CHECK (length(target_agent) <= 255),
  transformation_reason       TEXT,
  context_snapshot            TEXT CHECK (context_snapshot IS NULL OR json_valid(context_snapshot)),
  context_keys                TEXT CHECK (context_keys IS NULL
                              OR (json_valid(context_keys)
                              AND json_type(context_keys) = 'array')),
  context_size_bytes          INTEGER CHECK (context_size_bytes BETWEEN 0 AND 2147483647),
  user_request                TEXT,
  routing_confidence          REAL CHECK (routing_confidence BETWEEN 0 AND 1),
  routing_strategy            TEXT,
  transformation_duration_ms  REAL CHECK (transformation_duration_ms >= 0 AND transformation_duration_ms < 1e15),
  initialization_duration_ms  REAL CHECK (initialization_duration_ms >= 0 AND initialization_duration_ms < 1e15),
  total_execution_duration_ms REAL CHECK (total_execution_duration_ms >= 0 AND total_execution_duration_ms < 1e15),
  success                     INTEGER CHECK (success IN (0, 1)),
  error_message               TEXT,
  error_type                  TEXT,
  quality_score               REAL CHECK (quality_score BETWEEN 0 AND 1),
  agent_definition_id         TEXT CHECK (length(agent_definition_id) = 36),
  parent_event_id             TEXT CHECK (length(parent_event_id) = 36),
  started_at                  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                              CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at                TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_transformation_correlation ON agent_transformation_events (correlation_id);
CREATE INDEX idx_transformation_session ON agent_transformation_events (session_id);
CREATE INDEX idx_transformation_target
  ON agent_transformation_events (target_agent, total_execution_duration_ms, quality_score);
CREATE INDEX idx_transformation_source ON agent_transformation_events (source_agent);
CREATE INDEX idx_transformation_type ON agent_transformation_events (event_type);
CREATE INDEX idx_transformation_started ON agent_transformation_events (started_at DESC);
CREATE INDEX idx_transformation_success ON agent_transformation_events (success, started_at DESC)
  WHERE success IS NOT NULL;
CREATE INDEX idx_transformation_parent ON agent_transformation_events (parent_event_id)
  WHERE parent_event_id IS NOT NULL;
CREATE INDEX idx_transformation_definition ON agent_transformation_events (agent_definition_id)
  WHERE agent_definition_id IS NOT NULL;

-- How well the router routes: its target is under 100 000 microseconds.
CREATE TABLE router_performance_metrics (
  id                    TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                        || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                        || hex(randomblob(6)))),
  metric_type           TEXT NOT NULL CHECK (length(metric_type) <= 50),
  correlation_id        TEXT CHECK (length(correlation_id) = 36),
  user_request_hash     TEXT CHECK (length(user_request_hash) <= 64),
  context_hash          TEXT CHECK (length(context_hash) <= 64),
  selected_agent        TEXT CHECK (length(selected_agent) <= 255),
  selection_strategy    TEXT,
  confidence_score      REAL CHECK (confidence_score BETWEEN 0 AND 1),
  alternative_agents    TEXT CHECK (alternative_agents IS NULL OR json_valid(alternative_agents)),
  alternatives_count    INTEGER DEFAULT 0 CHECK (alternatives_count BETWEEN 0 AND 2147483647),
  cache_lookup_us       INTEGER CHECK (cache_lookup_us BETWEEN 0 AND 2147483647),
  trigger_matching_us   INTEGER CHECK (trigger_matching_us BETWEEN 0 AND 2147483647),
  confidence_scoring_us INTEGER CHECK (confidence_scoring_us BETWEEN 0 AND 2147483647),
  total_routing_time_us INTEGER CHECK (total_routing_time_us BETWEEN 0 AND 2147483647),
  trigger_confidence    REAL CHECK (trigger_confidence BETWEEN 0 AND 1),
  context_confidence    REAL CHECK (context_confidence BETWEEN 0 AND 1),
  capability_confidence REAL CHECK (capability_confidence BETWEEN 0 AND 1),
  historical_confidence REAL CHECK (historical_confidence BETWEEN 0 AND 1),
  cache_hit             INTEGER CHECK (cache_hit IN (0, 1)),
  cache_key             TEXT,
  cache_age_seconds     INTEGER CHECK (cache_age_seconds BETWEEN 0 AND 2147483647),
  selection_validated   INTEGER CHECK (selection_validated IN (0, 1)),
  actual_success        INTEGER CHECK (actual_success IN (0, 1)),
  actual_quality_score  REAL CHECK (actual_quality_score BETWEEN 0 AND 1),
  prediction_error      REAL CHECK (prediction_error BETWEEN -1 AND 1),
  feedback_provided     INTEGER DEFAULT 0 CHECK (feedback_provided IN (0, 1)),
  feedback_type         TEXT CHECK (length(feedback_type) <= 20),
  feedback_details      TEXT CHECK (feedback_details IS NULL OR json_valid(feedback_details)),
  measured_at           TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (measured_at GLOB '????-??-?? ??:??:??.??????'),
  validated_at          TEXT CHECK (validated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_router_measured ON router_performance_metrics (measured_at DESC);
CREATE INDEX idx_router_type_measured ON router_performance_metrics (metric_type, measured_at DESC);
CREATE INDEX idx_router_agent_measured ON router_performance_metrics (selected_agent, measured_at DESC);
CREATE INDEX idx_router_correlation ON router_performance_metrics (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX idx_router_cache ON router_performance_metrics (cache_hit, cache_age_seconds) WHERE cache_hit;
CREATE INDEX idx_router_time ON router_performance_metrics (total_routing_time_us, measured_at DESC);
CREATE INDEX idx_router_prediction
  ON router_performance_metrics (confidence_score, actual_quality_score, prediction_error) WHERE selection_validated;
CREATE INDEX idx_router_request ON router_performance_metrics (user_request_hash, context_hash);
CREATE INDEX idx_router_feedback ON router_performance_metrics (feedback_provided, feedback_type)
  WHERE feedback_provided;
