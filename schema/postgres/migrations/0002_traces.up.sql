-- What surrounds an execution: which agent was chosen and why, the hooks around it, the services it called; and the
-- archive of old traces.

CREATE TABLE agent_routing_decisions (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  correlation_id        uuid NOT NULL,
  user_request          text NOT NULL,
  selected_agent        text,
  selection_reason      text,
  confidence_total      numeric(5, 4) NOT NULL CHECK (confidence_total BETWEEN 0 AND 1),
  confidence_trigger    numeric(5, 4) CHECK (confidence_trigger BETWEEN 0 AND 1),
  confidence_context    numeric(5, 4) CHECK (confidence_context BETWEEN 0 AND 1),
  confidence_capability numeric(5, 4) CHECK (confidence_capability BETWEEN 0 AND 1),
  confidence_historical numeric(5, 4) CHECK (confidence_historical BETWEEN 0 AND 1),
  alternatives          jsonb,
  routing_strategy      text,
  pattern_id            uuid,
  cache_hit             boolean DEFAULT false,
  routing_duration_ms   numeric(21, 6) NOT NULL CHECK (routing_duration_ms >= 0 AND routing_duration_ms < 1e15),
  request_embedding     real[],
  created_at            timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE agent_routing_decisions IS 'Which agent was chosen for a request, and why.';
COMMENT ON COLUMN agent_routing_decisions.correlation_id IS 'The execution in which it was decided: execution_traces.correlation_id.';
COMMENT ON COLUMN agent_routing_decisions.user_request IS 'Given explicitly, and redacted.';
COMMENT ON COLUMN agent_routing_decisions.alternatives IS 'The others: [{agent, confidence, reason}].';
COMMENT ON COLUMN agent_routing_decisions.routing_strategy IS 'explicit, fuzzy_match, capability_match, historical, learned_pattern, or any other.';
COMMENT ON COLUMN agent_routing_decisions.pattern_id IS 'The success pattern that decided: success_patterns.id.';
COMMENT ON COLUMN agent_routing_decisions.request_embedding IS 'optional/pgvector.sql adds an index.';
COMMENT ON COLUMN agent_routing_decisions.confidence_total IS '0 to 1, from the parts beside it.';

CREATE INDEX idx_routing_correlation ON agent_routing_decisions (correlation_id);
CREATE INDEX idx_routing_agent ON agent_routing_decisions (selected_agent);
CREATE INDEX idx_routing_pattern ON agent_routing_decisions (pattern_id) WHERE pattern_id IS NOT NULL;
CREATE INDEX idx_routing_created ON agent_routing_decisions (created_at DESC);

CREATE TABLE hook_executions (
  id                              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  execution_id                    uuid NOT NULL,
  correlation_id                  uuid NOT NULL,
  parent_id                       uuid,
  hook_type                       text NOT NULL,
  tool_name                       text,
  hook_script                     text,
  started_at                      timestamptz NOT NULL DEFAULT now(),
  completed_at                    timestamptz,
  duration_ms                     numeric(21, 6) CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  status                          varchar(20) NOT NULL DEFAULT 'in_progress'
                                  CHECK (status IN ('in_progress', 'success', 'error', 'timeout', 'cancelled',
                                  'abandoned')),
  intelligence_functions_executed text[],
  rag_queries_executed            jsonb,
  quality_gates_validated         text[],
  success                         boolean,
  error_message                   text,
  modifications_made              jsonb,
  context                         jsonb,
  created_at                      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hook_executions IS 'One hook around a tool or a prompt.';
COMMENT ON COLUMN hook_executions.execution_id IS 'The run of the hook itself, which several rows may belong to.';
COMMENT ON COLUMN hook_executions.correlation_id IS 'The execution it ran around: execution_traces.correlation_id, or the root''s id.';
COMMENT ON COLUMN hook_executions.parent_id IS 'The hook that started it: hook_executions.id.';
COMMENT ON COLUMN hook_executions.hook_type IS 'SessionStart, UserPromptSubmit, PreToolUse, PostToolUse, SubagentStop, Stop, or any other.';
COMMENT ON COLUMN hook_executions.quality_gates_validated IS 'The gates that were passed.';
COMMENT ON COLUMN hook_executions.intelligence_functions_executed IS 'Names of what it called to gather knowledge.';
COMMENT ON COLUMN hook_executions.rag_queries_executed IS 'What it looked up: [{query, ...}].';
COMMENT ON COLUMN hook_executions.modifications_made IS 'What it changed of the call it ran around.';

CREATE INDEX idx_hook_correlation ON hook_executions (correlation_id);
CREATE INDEX idx_hook_execution ON hook_executions (execution_id);
CREATE INDEX idx_hook_parent ON hook_executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX idx_hook_type_tool ON hook_executions (hook_type, tool_name);
CREATE INDEX idx_hook_started ON hook_executions (started_at DESC);

CREATE TABLE endpoint_calls (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  correlation_id    uuid NOT NULL,
  hook_execution_id uuid,
  service_name      text NOT NULL,
  endpoint_path     text NOT NULL,
  http_method       text NOT NULL,
  request_body      jsonb,
  response_body     jsonb,
  headers           jsonb,
  response_status   integer,
  started_at        timestamptz NOT NULL DEFAULT now(),
  completed_at      timestamptz,
  duration_ms       numeric(21, 6) CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  success           boolean NOT NULL,
  error_message     text,
  error_type        text,
  retry_count       integer DEFAULT 0,
  context           jsonb,
  created_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE endpoint_calls IS 'One HTTP call to a service.';
COMMENT ON COLUMN endpoint_calls.correlation_id IS 'The execution that called: execution_traces.correlation_id, or the root''s id.';
COMMENT ON COLUMN endpoint_calls.hook_execution_id IS 'The hook that called: hook_executions.id.';
COMMENT ON COLUMN endpoint_calls.request_body IS 'Only when content is captured.';
COMMENT ON COLUMN endpoint_calls.response_body IS 'Only when content is captured.';
COMMENT ON COLUMN endpoint_calls.headers IS 'Redacted, and only when asked for.';
COMMENT ON COLUMN endpoint_calls.error_type IS 'timeout, connection_error, http_error, or any other.';

CREATE INDEX idx_endpoint_correlation ON endpoint_calls (correlation_id);
CREATE INDEX idx_endpoint_hook ON endpoint_calls (hook_execution_id) WHERE hook_execution_id IS NOT NULL;
CREATE INDEX idx_endpoint_service_path ON endpoint_calls (service_name, endpoint_path);
CREATE INDEX idx_endpoint_started ON endpoint_calls (started_at DESC);

-- LIKE keeps the two in the same shape, checks and comments included.
CREATE TABLE execution_traces_archive (
  LIKE execution_traces INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING COMMENTS,
  PRIMARY KEY (correlation_id)
);
COMMENT ON TABLE execution_traces_archive IS 'Traces past their retention, whole trees at a time; same columns as execution_traces.';

CREATE INDEX idx_trace_archive_root ON execution_traces_archive (root_id);
CREATE INDEX idx_trace_archive_started ON execution_traces_archive (started_at DESC);

CREATE TRIGGER measure_hook_executions BEFORE INSERT OR UPDATE ON hook_executions
  FOR EACH ROW WHEN (NEW.duration_ms IS NULL AND NEW.completed_at IS NOT NULL) EXECUTE FUNCTION asp_measure();
CREATE TRIGGER measure_endpoint_calls BEFORE INSERT OR UPDATE ON endpoint_calls
  FOR EACH ROW WHEN (NEW.duration_ms IS NULL AND NEW.completed_at IS NOT NULL) EXECUTE FUNCTION asp_measure();

-- Bodies in BEGIN ATOMIC are bound to these tables once and for all, whatever the caller's search path is.
CREATE FUNCTION asp_trace_tree(root uuid)
RETURNS TABLE (
  depth integer, correlation_id uuid, parent_id uuid, kind varchar, name text, agent_role text, status varchar,
  started_at timestamptz, duration_ms numeric, tokens numeric, api_cost_usd numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
  WITH RECURSIVE members AS MATERIALIZED (
    SELECT live.* FROM execution_traces AS live WHERE live.root_id = root
    UNION ALL
    SELECT old.* FROM execution_traces_archive AS old
    WHERE old.root_id = root
      AND NOT EXISTS (SELECT FROM execution_traces AS live WHERE live.correlation_id = old.correlation_id)
  ), tree AS (
    -- not only the root: a foreign trace has its root elsewhere, and a parent may not be written yet
    SELECT 0 AS depth, top.correlation_id, top.started_at FROM members AS top
    WHERE NOT EXISTS (SELECT FROM members AS above WHERE above.correlation_id = top.parent_id)
    UNION ALL
    SELECT tree.depth + 1, child.correlation_id, child.started_at
    FROM tree JOIN members AS child ON child.parent_id = tree.correlation_id
  ) SEARCH DEPTH FIRST BY started_at, correlation_id SET place
  SELECT tree.depth, member.correlation_id, member.parent_id, member.kind, member.name, member.agent_role,
    member.status, member.started_at, member.duration_ms,
    (SELECT sum(cost.metric_value) FROM agent_cost_vector AS cost
     WHERE cost.correlation_id = member.correlation_id AND cost.metric_type IN ('Tokens_In', 'Tokens_Out')),
    (SELECT sum(cost.metric_value) FROM agent_cost_vector AS cost
     WHERE cost.correlation_id = member.correlation_id AND cost.metric_type = 'API_Cost')
  FROM tree JOIN members AS member USING (correlation_id)
  ORDER BY tree.place;
END;
COMMENT ON FUNCTION asp_trace_tree(uuid) IS
  'All executions of a trace, parents before children, with what each has used itself; archived ones included.';

CREATE FUNCTION asp_archive_traces(older_than interval DEFAULT '90 days', at_most integer DEFAULT 10000)
RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
  WITH old AS (
    SELECT DISTINCT trace.root_id FROM execution_traces AS trace
    WHERE trace.started_at < now() - older_than AND NOT EXISTS (
      SELECT FROM execution_traces AS other
      WHERE other.root_id = trace.root_id
        AND (other.started_at >= now() - older_than OR other.status = 'in_progress'))
    LIMIT at_most
  ), moved AS (
    DELETE FROM execution_traces AS trace USING old WHERE trace.root_id = old.root_id RETURNING trace.*
  ), kept AS (
    INSERT INTO execution_traces_archive SELECT * FROM moved
    -- an execution that ended after it had been archived as abandoned
    ON CONFLICT (correlation_id) DO UPDATE SET
      agent_iteration = excluded.agent_iteration, completed_at = excluded.completed_at,
      duration_ms = excluded.duration_ms, status = excluded.status, success = excluded.success,
      error_message = excluded.error_message, error_type = excluded.error_type, context = excluded.context,
      tags = excluded.tags, usage = excluded.usage, input = excluded.input, output = excluded.output,
      updated_at = excluded.updated_at
    RETURNING 1
  )
  SELECT count(*) FROM kept;
END;
COMMENT ON FUNCTION asp_archive_traces(interval, integer) IS
  'Moves traces older than an interval into execution_traces_archive, whole trees that have ended, at most so many trees per call; returns how many rows it moved.';

ALTER TABLE agent_routing_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE hook_executions ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoint_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE execution_traces_archive ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON agent_routing_decisions, hook_executions, endpoint_calls, execution_traces_archive
  FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_routing_decisions, hook_executions, endpoint_calls,
  execution_traces_archive TO service_role;
GRANT SELECT ON agent_routing_decisions, hook_executions, endpoint_calls, execution_traces_archive TO authenticated;
REVOKE ALL ON FUNCTION asp_trace_tree(uuid), asp_archive_traces(interval, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION asp_trace_tree(uuid) TO service_role, authenticated;
GRANT EXECUTE ON FUNCTION asp_archive_traces(interval, integer) TO service_role;

CREATE POLICY service ON agent_routing_decisions TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON hook_executions TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON endpoint_calls TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON execution_traces_archive TO service_role USING (true) WITH CHECK (true);

-- What names no user belongs to whoever may see its trace; the policies of the traces hold inside of these too.
CREATE POLICY own ON agent_routing_decisions FOR SELECT TO authenticated USING (
  EXISTS (SELECT FROM execution_traces AS trace WHERE trace.correlation_id = agent_routing_decisions.correlation_id)
  OR EXISTS (SELECT FROM execution_traces_archive AS trace
             WHERE trace.correlation_id = agent_routing_decisions.correlation_id));
CREATE POLICY own ON hook_executions FOR SELECT TO authenticated USING (
  EXISTS (SELECT FROM execution_traces AS trace WHERE trace.correlation_id = hook_executions.correlation_id)
  OR EXISTS (SELECT FROM execution_traces_archive AS trace WHERE trace.correlation_id = hook_executions.correlation_id));
CREATE POLICY own ON endpoint_calls FOR SELECT TO authenticated USING (
  EXISTS (SELECT FROM execution_traces AS trace WHERE trace.correlation_id = endpoint_calls.correlation_id)
  OR EXISTS (SELECT FROM execution_traces_archive AS trace WHERE trace.correlation_id = endpoint_calls.correlation_id));
CREATE POLICY own ON execution_traces_archive FOR SELECT TO authenticated
  USING (user_id IS NULL OR user_id = (SELECT asp_user_id()));
