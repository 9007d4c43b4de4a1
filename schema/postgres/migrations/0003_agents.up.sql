-- The registry of agents, how they hand work to each other, and how well the router chooses among them.

CREATE TABLE agent_definitions (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  agent_name            varchar(255) NOT NULL,
  agent_version         varchar(50) NOT NULL DEFAULT '1.0.0',
  agent_type            varchar(100) NOT NULL,
  yaml_config           jsonb NOT NULL,
  parsed_metadata       jsonb,
  capabilities          text[],
  domain                varchar(100),
  triggers              text[],
  trigger_patterns      text[],
  avg_execution_time_ms integer,
  success_rate          numeric(5, 4) CHECK (success_rate BETWEEN 0 AND 1),
  quality_score         numeric(5, 4) CHECK (quality_score BETWEEN 0 AND 1),
  is_active             boolean NOT NULL DEFAULT true,
  status                varchar(20) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deprecated', 'testing')),
  registry_path         text,
  definition_hash       varchar(64),
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now(),
  last_loaded_at        timestamptz,
  UNIQUE (agent_name, agent_version)
);
COMMENT ON TABLE agent_definitions IS 'The registry of agents, loaded from YAML files.';
COMMENT ON COLUMN agent_definitions.agent_type IS 'coordinator, specialist, transformer, or any other.';
COMMENT ON COLUMN agent_definitions.yaml_config IS 'The whole definition, as JSON.';
COMMENT ON COLUMN agent_definitions.triggers IS 'Words in a request that call for this agent.';
COMMENT ON COLUMN agent_definitions.trigger_patterns IS 'Regular expressions that do.';
COMMENT ON COLUMN agent_definitions.success_rate IS '0 to 1, from its executions.';
COMMENT ON COLUMN agent_definitions.definition_hash IS 'SHA-256 of the file, by which a changed one is noticed.';
COMMENT ON COLUMN agent_definitions.parsed_metadata IS 'What was read out of yaml_config.';

CREATE INDEX idx_definition_type ON agent_definitions (agent_type);
CREATE INDEX idx_definition_domain ON agent_definitions (domain);
CREATE INDEX idx_definition_active ON agent_definitions (is_active) WHERE is_active;
CREATE INDEX idx_definition_performance
  ON agent_definitions (success_rate DESC, quality_score DESC, avg_execution_time_ms);
CREATE INDEX idx_definition_capabilities ON agent_definitions USING gin (capabilities);
CREATE INDEX idx_definition_triggers ON agent_definitions USING gin (triggers);
CREATE INDEX idx_definition_yaml ON agent_definitions USING gin (yaml_config jsonb_path_ops);
CREATE INDEX idx_definition_metadata ON agent_definitions USING gin (parsed_metadata jsonb_path_ops);

CREATE TABLE agent_transformation_events (
  id                          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  event_type                  varchar(100) NOT NULL,
  correlation_id              uuid NOT NULL,
  session_id                  text,
  source_agent                varchar(255),
  target_agent                varchar(255) NOT NULL,
  transformation_reason       text,
  context_snapshot            jsonb,
  context_keys                text[],
  context_size_bytes          integer CHECK (context_size_bytes >= 0),
  user_request                text,
  routing_confidence          numeric(5, 4) CHECK (routing_confidence BETWEEN 0 AND 1),
  routing_strategy            text,
  transformation_duration_ms  numeric(21, 6)
                              CHECK (transformation_duration_ms >= 0 AND transformation_duration_ms < 1e15),
  initialization_duration_ms  numeric(21, 6)
                              CHECK (initialization_duration_ms >= 0 AND initialization_duration_ms < 1e15),
  total_execution_duration_ms numeric(21, 6)
                              CHECK (total_execution_duration_ms >= 0 AND total_execution_duration_ms < 1e15),
  success                     boolean,
  error_message               text,
  error_type                  text,
  quality_score               numeric(5, 4) CHECK (quality_score BETWEEN 0 AND 1),
  agent_definition_id         uuid,
  parent_event_id             uuid,
  started_at                  timestamptz NOT NULL DEFAULT now(),
  completed_at                timestamptz
);
COMMENT ON TABLE agent_transformation_events IS 'One agent becoming or calling another.';
COMMENT ON COLUMN agent_transformation_events.event_type IS 'transformation_start, transformation_complete, transformation_failed, or any other.';
COMMENT ON COLUMN agent_transformation_events.correlation_id IS 'The execution in which it happened: execution_traces.correlation_id.';
COMMENT ON COLUMN agent_transformation_events.context_snapshot IS 'What was handed over; only when content is captured.';
COMMENT ON COLUMN agent_transformation_events.context_keys IS 'The names of what was handed over.';
COMMENT ON COLUMN agent_transformation_events.agent_definition_id IS 'The definition of the target: agent_definitions.id.';
COMMENT ON COLUMN agent_transformation_events.parent_event_id IS 'The event inside which this one happened: agent_transformation_events.id.';
COMMENT ON COLUMN agent_transformation_events.routing_confidence IS '0 to 1: how sure the router was of the target.';

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
CREATE INDEX idx_transformation_context ON agent_transformation_events USING gin (context_snapshot jsonb_path_ops);

CREATE TABLE router_performance_metrics (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  metric_type           varchar(50) NOT NULL,
  correlation_id        uuid,
  user_request_hash     varchar(64),
  context_hash          varchar(64),
  selected_agent        varchar(255),
  selection_strategy    text,
  confidence_score      numeric(5, 4) CHECK (confidence_score BETWEEN 0 AND 1),
  alternative_agents    jsonb,
  alternatives_count    integer DEFAULT 0 CHECK (alternatives_count >= 0),
  cache_lookup_us       integer CHECK (cache_lookup_us >= 0),
  trigger_matching_us   integer CHECK (trigger_matching_us >= 0),
  confidence_scoring_us integer CHECK (confidence_scoring_us >= 0),
  total_routing_time_us integer CHECK (total_routing_time_us >= 0),
  trigger_confidence    numeric(5, 4) CHECK (trigger_confidence BETWEEN 0 AND 1),
  context_confidence    numeric(5, 4) CHECK (context_confidence BETWEEN 0 AND 1),
  capability_confidence numeric(5, 4) CHECK (capability_confidence BETWEEN 0 AND 1),
  historical_confidence numeric(5, 4) CHECK (historical_confidence BETWEEN 0 AND 1),
  cache_hit             boolean,
  cache_key             text,
  cache_age_seconds     integer CHECK (cache_age_seconds >= 0),
  selection_validated   boolean,
  actual_success        boolean,
  actual_quality_score  numeric(5, 4) CHECK (actual_quality_score BETWEEN 0 AND 1),
  prediction_error      numeric(5, 4) CHECK (prediction_error BETWEEN -1 AND 1),
  feedback_provided     boolean DEFAULT false,
  feedback_type         varchar(20),
  feedback_details      jsonb,
  measured_at           timestamptz NOT NULL DEFAULT now(),
  validated_at          timestamptz
);
COMMENT ON TABLE router_performance_metrics IS 'How well the router routes: its target is under 100 000 microseconds.';
COMMENT ON COLUMN router_performance_metrics.metric_type IS 'routing_decision, cache_hit, cache_miss, or any other.';
COMMENT ON COLUMN router_performance_metrics.confidence_score IS '0.4 trigger + 0.3 context + 0.2 capability + 0.1 historical.';
COMMENT ON COLUMN router_performance_metrics.trigger_confidence IS 'Weighs 40 %.';
COMMENT ON COLUMN router_performance_metrics.context_confidence IS 'Weighs 30 %.';
COMMENT ON COLUMN router_performance_metrics.capability_confidence IS 'Weighs 20 %.';
COMMENT ON COLUMN router_performance_metrics.historical_confidence IS 'Weighs 10 %.';
COMMENT ON COLUMN router_performance_metrics.prediction_error IS 'confidence_score - actual_quality_score: above 0 the router was too sure.';
COMMENT ON COLUMN router_performance_metrics.selection_validated IS 'Whether somebody has said how the choice turned out.';
COMMENT ON COLUMN router_performance_metrics.feedback_type IS 'positive, negative, correction, or any other.';
COMMENT ON COLUMN router_performance_metrics.correlation_id IS 'The execution in which it was routed: execution_traces.correlation_id.';
COMMENT ON COLUMN router_performance_metrics.user_request_hash IS 'SHA-256 of the request, which itself is not kept.';
COMMENT ON COLUMN router_performance_metrics.context_hash IS 'SHA-256 of the context.';
COMMENT ON COLUMN router_performance_metrics.alternative_agents IS 'The others: [{agent, confidence, reason}].';
COMMENT ON COLUMN router_performance_metrics.total_routing_time_us IS 'In microseconds; the target is under 100 000.';
COMMENT ON COLUMN router_performance_metrics.feedback_details IS 'What a person said of the choice.';

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
CREATE INDEX idx_router_alternatives ON router_performance_metrics USING gin (alternative_agents jsonb_path_ops);

CREATE TRIGGER touch_agent_definitions BEFORE UPDATE ON agent_definitions
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();

ALTER TABLE agent_definitions ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_transformation_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE router_performance_metrics ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON agent_definitions, agent_transformation_events, router_performance_metrics
  FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_definitions, agent_transformation_events, router_performance_metrics
  TO service_role;
GRANT SELECT ON agent_definitions, agent_transformation_events, router_performance_metrics TO authenticated;

CREATE POLICY service ON agent_definitions TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON agent_transformation_events TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON router_performance_metrics TO service_role USING (true) WITH CHECK (true);

CREATE POLICY everyone ON agent_definitions FOR SELECT TO authenticated USING (true);
CREATE POLICY own ON agent_transformation_events FOR SELECT TO authenticated USING (
  EXISTS (SELECT FROM execution_traces AS trace
          WHERE trace.correlation_id = agent_transformation_events.correlation_id)
  OR EXISTS (SELECT FROM execution_traces_archive AS trace
             WHERE trace.correlation_id = agent_transformation_events.correlation_id));
CREATE POLICY own ON router_performance_metrics FOR SELECT TO authenticated USING (
  EXISTS (SELECT FROM execution_traces AS trace WHERE trace.correlation_id = router_performance_metrics.correlation_id)
  OR EXISTS (SELECT FROM execution_traces_archive AS trace
             WHERE trace.correlation_id = router_performance_metrics.correlation_id));
