-- The whole PostgreSQL schema at a glance: what all migrations together make, in one transaction.
--   psql "$ASP_DATABASE_URL" --set ON_ERROR_STOP=1 --file schema/postgres/schema.sql
-- It lands in the first schema of the search path. `asp-telemetry migrate up` does the same and keeps the ledger of
-- migrations; run after this file it recognises what it finds and adds only the ledger. PostgreSQL 15 or newer.

BEGIN;

-- The spine: tasks, their cost, defects, bootstrap metrics, traces, and the house-keeping of the writer; with the roles
-- and policies that say who may read them. PostgreSQL 15 or newer.

-- Roles belong to the whole server, so they may be there already; nobody logs in as one of these by itself.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['service_role', 'authenticated', 'anon'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
          NULL; -- another database of this server is being migrated at the same moment
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'role % is missing and % may not create it', wanted, current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('Let an administrator run: CREATE ROLE %I NOLOGIN', wanted);
      END;
    END IF;
  END LOOP;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO service_role, authenticated', current_schema());
END
$$;

-- Whose rows an ordinary user sees. Supabase's own answer goes first, because its users cannot set it themselves.
CREATE FUNCTION asp_user_id() RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  found text;
BEGIN
  -- asked in two steps: looking into a schema that one may not use is an error
  IF to_regnamespace('auth') IS NOT NULL AND has_schema_privilege('auth', 'USAGE') THEN
    IF to_regprocedure('auth.uid()') IS NOT NULL THEN
      EXECUTE 'SELECT auth.uid()::text' INTO found;
    END IF;
  END IF;
  RETURN coalesce(found, nullif(current_setting('asp.user_id', true), ''));
END
$$;
COMMENT ON FUNCTION asp_user_id() IS
  'The user whose rows the role authenticated sees: auth.uid() where it exists, else the setting asp.user_id. Anyone with SQL may change the setting: a border for applications, not for people who log in.';

CREATE FUNCTION asp_touch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := greatest(now(), OLD.updated_at);
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION asp_touch() IS 'Moves updated_at when an update did not say it.';

CREATE FUNCTION asp_measure() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.duration_ms := greatest(extract(epoch FROM NEW.completed_at - NEW.started_at) * 1000, 0);
  RETURN NEW;
END
$$;
COMMENT ON FUNCTION asp_measure() IS 'Fills in a duration that nobody measured from start and completion; never overwrites a measured one.';

CREATE TABLE task_metadata (
  task_id                    varchar(100) PRIMARY KEY,
  created_at                 timestamptz NOT NULL DEFAULT now(),
  started_at                 timestamptz,
  completed_at               timestamptz,
  project_id                 varchar(100),
  task_type                  varchar(50),
  task_description           text,
  requirements_text          text,
  semantic_units_json        jsonb,
  estimated_complexity       integer,
  actual_complexity          integer,
  estimated_cost_vector_json jsonb,
  actual_cost_vector_json    jsonb,
  defect_count               integer DEFAULT 0,
  defect_density             numeric(8, 3) CHECK (defect_density < 1e5),
  components_affected        text[],
  bootstrap_phase            varchar(20) CHECK (bootstrap_phase IN ('Learning', 'Shadow', 'Autonomous')),
  human_reviewed             boolean DEFAULT false,
  human_corrections_json     jsonb,
  status                     varchar(20) NOT NULL DEFAULT 'pending'
                             CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
  metadata                   jsonb,
  user_id                    varchar(100),
  updated_at                 timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE task_metadata IS 'One unit of work: what was asked, what was estimated, what it took.';
COMMENT ON COLUMN task_metadata.started_at IS 'The earliest start of all executions of the task.';
COMMENT ON COLUMN task_metadata.completed_at IS 'The latest end of all executions of the task.';
COMMENT ON COLUMN task_metadata.semantic_units_json IS 'The units of meaning that the estimate was made from, each with its complexity.';
COMMENT ON COLUMN task_metadata.estimated_cost_vector_json IS 'What was expected: {latency_ms, tokens, api_cost_usd}.';
COMMENT ON COLUMN task_metadata.actual_cost_vector_json IS 'What it took: {latency_ms, tokens, api_cost_usd}, summed over agent_cost_vector once the task is finished; latency leaves nested agents out.';
COMMENT ON COLUMN task_metadata.defect_count IS 'Defects of the task that are no false positives.';
COMMENT ON COLUMN task_metadata.defect_density IS 'Defects per unit of complexity, the actual complexity where it is known.';
COMMENT ON COLUMN task_metadata.bootstrap_phase IS 'How far people were still needed when it ran.';
COMMENT ON COLUMN task_metadata.user_id IS 'The user who may see the row; NULL: every authenticated user.';
COMMENT ON COLUMN task_metadata.components_affected IS 'Paths of what the task changed.';
COMMENT ON COLUMN task_metadata.human_corrections_json IS 'What people changed in its result, in the form the application chose.';
COMMENT ON COLUMN task_metadata.updated_at IS 'Moved by a trigger unless an update says otherwise, and never back.';

CREATE INDEX idx_task_project ON task_metadata (project_id);
CREATE INDEX idx_task_type ON task_metadata (task_type);
CREATE INDEX idx_task_created ON task_metadata (created_at DESC);
CREATE INDEX idx_task_status ON task_metadata (status);
CREATE INDEX idx_task_bootstrap_phase ON task_metadata (bootstrap_phase);
CREATE INDEX idx_task_semantic_units ON task_metadata USING gin (semantic_units_json jsonb_path_ops);
CREATE INDEX idx_task_components ON task_metadata USING gin (components_affected);

CREATE TABLE agent_cost_vector (
  id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  timestamp       timestamptz NOT NULL DEFAULT now(),
  -- by way of UTC: the date of a time with a time zone depends on who asks, which a generated column must not
  execution_date  date GENERATED ALWAYS AS ((timestamp AT TIME ZONE 'UTC')::date) STORED,
  task_id         varchar(100) NOT NULL,
  subtask_id      varchar(100),
  project_id      varchar(100),
  user_id         varchar(100),
  correlation_id  uuid,
  agent_role      varchar(50) NOT NULL,
  agent_version   varchar(20),
  agent_iteration integer DEFAULT 1,
  metric_type     varchar(50) NOT NULL,
  -- the upper bound is that of the type, and keeps NaN out
  metric_value    numeric(24, 10) NOT NULL CHECK (metric_value >= 0 AND metric_value < 1e14),
  metric_unit     varchar(20) NOT NULL,
  nested          boolean NOT NULL DEFAULT false,
  llm_model       varchar(100),
  llm_provider    varchar(50),
  metadata        jsonb
);
COMMENT ON TABLE agent_cost_vector IS 'One metric of one execution. Additive by construction and only ever inserted: sums never count twice.';
COMMENT ON COLUMN agent_cost_vector.timestamp IS 'When the execution ended.';
COMMENT ON COLUMN agent_cost_vector.execution_date IS 'The day of timestamp, in UTC.';
COMMENT ON COLUMN agent_cost_vector.correlation_id IS 'The execution that was measured: execution_traces.correlation_id.';
COMMENT ON COLUMN agent_cost_vector.agent_role IS 'The nearest enclosing agent: Planning, Design, DesignReview, Code, CodeReview, Test, Postmortem, or any other.';
COMMENT ON COLUMN agent_cost_vector.metric_type IS 'Latency (ms), Tokens_In, Tokens_Out, Tokens_Cache_Read, Tokens_Cache_Write, Tokens_Reasoning (tokens), API_Cost (USD), Memory_Usage (MB), Tool_Calls, Retries (count), Time_To_First_Token (ms), or any other. Tokens_In is the whole input, cached tokens included.';
COMMENT ON COLUMN agent_cost_vector.metric_value IS 'Exact to ten decimals: a price of 0.00003 USD stays what it is.';
COMMENT ON COLUMN agent_cost_vector.nested IS 'True on rows of an agent that runs inside another agent of the same task; leave these out when summing latency.';
COMMENT ON COLUMN agent_cost_vector.task_id IS 'The task it belongs to: task_metadata.task_id; outside of any task the id of the root execution.';
COMMENT ON COLUMN agent_cost_vector.subtask_id IS 'Given by the application: the part of the task.';
COMMENT ON COLUMN agent_cost_vector.user_id IS 'The user who may see the row; NULL: every authenticated user.';
COMMENT ON COLUMN agent_cost_vector.agent_iteration IS 'Which attempt of the agent at the same work, from 1.';

CREATE INDEX idx_cost_task ON agent_cost_vector (task_id);
CREATE INDEX idx_cost_timestamp ON agent_cost_vector (timestamp DESC);
CREATE INDEX idx_cost_role_metric_timestamp ON agent_cost_vector (agent_role, metric_type, timestamp DESC);
CREATE INDEX idx_cost_execution_date ON agent_cost_vector (execution_date DESC);
CREATE INDEX idx_cost_correlation ON agent_cost_vector (correlation_id);
CREATE INDEX idx_cost_metric_time ON agent_cost_vector (metric_type, timestamp);
CREATE INDEX idx_cost_metadata ON agent_cost_vector USING gin (metadata jsonb_path_ops);

CREATE TABLE defect_log (
  defect_id          varchar(50) PRIMARY KEY,
  created_at         timestamptz NOT NULL DEFAULT now(),
  resolved_at        timestamptz,
  task_id            varchar(100) NOT NULL,
  project_id         varchar(100),
  user_id            varchar(100),
  correlation_id     uuid,
  defect_type        varchar(50) NOT NULL,
  severity           varchar(20) CHECK (severity IN ('Critical', 'High', 'Medium', 'Low')),
  phase_injected     varchar(50) NOT NULL,
  phase_removed      varchar(50) NOT NULL,
  component_path     text,
  function_name      varchar(200),
  line_number        integer,
  effort_to_fix_json jsonb,
  description        text NOT NULL,
  root_cause         text,
  resolution_notes   text,
  flagged_by_agent   boolean DEFAULT false,
  validated_by_human boolean DEFAULT false,
  false_positive     boolean DEFAULT false,
  metadata           jsonb,
  CHECK (phase_injected <> phase_removed),
  CHECK (resolved_at >= created_at)
);
COMMENT ON TABLE defect_log IS 'One defect: where it was put in and where it was taken out.';
COMMENT ON COLUMN defect_log.resolved_at IS 'Never before created_at: clocks of two machines may disagree.';
COMMENT ON COLUMN defect_log.correlation_id IS 'The execution that logged it: execution_traces.correlation_id.';
COMMENT ON COLUMN defect_log.defect_type IS '1_Planning_Failure, 2_Prompt_Misinterpretation, 3_Tool_Use_Error, 4_Hallucination, 5_Security_Vulnerability, 6_Conventional_Code_Bug, 7_Task_Execution_Error, 8_Alignment_Deviation; optional/strict_defect_types.sql closes the list.';
COMMENT ON COLUMN defect_log.phase_injected IS 'Planning < Design < DesignReview < Code < CodeReview < Test < Postmortem.';
COMMENT ON COLUMN defect_log.phase_removed IS 'A defect escapes a review when it was injected before it and removed after it.';
COMMENT ON COLUMN defect_log.effort_to_fix_json IS 'What the fix took: {latency_ms, tokens, api_cost_usd, retries}.';
COMMENT ON COLUMN defect_log.user_id IS 'The user who may see the row; NULL: every authenticated user.';
COMMENT ON COLUMN defect_log.flagged_by_agent IS 'Whether a review agent found it.';
COMMENT ON COLUMN defect_log.validated_by_human IS 'Whether a person has confirmed it.';
COMMENT ON COLUMN defect_log.false_positive IS 'Whether a person has found that it is none; such rows count nowhere as defects.';

CREATE INDEX idx_defect_task ON defect_log (task_id);
CREATE INDEX idx_defect_type ON defect_log (defect_type);
CREATE INDEX idx_defect_phase_injected ON defect_log (phase_injected);
CREATE INDEX idx_defect_phase_removed ON defect_log (phase_removed);
CREATE INDEX idx_defect_component ON defect_log (component_path);
CREATE INDEX idx_defect_created ON defect_log (created_at DESC);
CREATE INDEX idx_defect_review ON defect_log (flagged_by_agent, validated_by_human, false_positive);
CREATE INDEX idx_defect_effort ON defect_log USING gin (effort_to_fix_json jsonb_path_ops);
CREATE INDEX idx_defect_metadata ON defect_log USING gin (metadata jsonb_path_ops);

CREATE TABLE bootstrap_metrics (
  id                            bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  measured_at                   timestamptz NOT NULL DEFAULT now(),
  measurement_period_start      timestamptz NOT NULL,
  measurement_period_end        timestamptz NOT NULL,
  capability_name               varchar(50) NOT NULL,
  capability_mode               varchar(20) NOT NULL CHECK (capability_mode IN ('Learning', 'Shadow', 'Autonomous')),
  tasks_completed               integer NOT NULL CHECK (tasks_completed >= 0),
  tasks_required_for_graduation integer NOT NULL CHECK (tasks_required_for_graduation > 0),
  primary_metric_name           varchar(50) NOT NULL,
  primary_metric_value          numeric(10, 4) NOT NULL CHECK (primary_metric_value < 1e6),
  primary_metric_target         numeric(10, 4) NOT NULL CHECK (primary_metric_target < 1e6),
  metric_direction              varchar(20) NOT NULL
                                CHECK (metric_direction IN ('lower_is_better', 'higher_is_better')),
  secondary_metrics_json        jsonb,
  graduation_criteria_met       boolean DEFAULT false,
  graduation_notes              text,
  metadata                      jsonb
);
COMMENT ON TABLE bootstrap_metrics IS 'How far a capability has learned: one row per measurement.';
COMMENT ON COLUMN bootstrap_metrics.capability_name IS 'PROBE_AI, TaskDecomposition, ErrorProneDetection, ReviewAgent_Design, ReviewAgent_Code, DefectTypePrediction, or any other.';
COMMENT ON COLUMN bootstrap_metrics.capability_mode IS 'Learning: people do it; Shadow: it runs beside them; Autonomous: it runs alone.';
COMMENT ON COLUMN bootstrap_metrics.metric_direction IS 'Whether the target is a ceiling or a floor: an error has to fall, a true-positive rate to rise.';
COMMENT ON COLUMN bootstrap_metrics.primary_metric_value IS 'In the unit of primary_metric_name; see metric_direction.';
COMMENT ON COLUMN bootstrap_metrics.secondary_metrics_json IS 'Further measures by name.';

CREATE INDEX idx_bootstrap_capability_measured ON bootstrap_metrics (capability_name, measured_at DESC);
CREATE INDEX idx_bootstrap_measured ON bootstrap_metrics (measured_at DESC);
CREATE INDEX idx_bootstrap_mode ON bootstrap_metrics (capability_mode);
CREATE INDEX idx_bootstrap_graduation ON bootstrap_metrics (graduation_criteria_met);

CREATE TABLE execution_traces (
  correlation_id  uuid PRIMARY KEY,
  root_id         uuid NOT NULL,
  parent_id       uuid,
  session_id      text NOT NULL,
  user_id         text,
  environment     text,
  release         text,
  agent_iteration integer,
  subtask_id      text,
  source          text NOT NULL,
  prompt_text     text,
  kind            varchar(20) CHECK (kind IN ('task', 'agent', 'generation', 'tool', 'chain', 'retriever', 'evaluator',
                  'guardrail', 'embedding', 'span')),
  name            text NOT NULL,
  agent_role      text,
  task_id         text,
  started_at      timestamptz NOT NULL,
  completed_at    timestamptz,
  duration_ms     numeric(21, 6) CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  status          varchar(20) NOT NULL DEFAULT 'in_progress'
                  CHECK (status IN ('in_progress', 'success', 'error', 'timeout', 'cancelled', 'abandoned')),
  success         boolean,
  error_message   text,
  error_type      text,
  context         jsonb,
  tags            text[],
  usage           jsonb,
  input           jsonb,
  output          jsonb,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execution_traces IS 'One execution: an agent, a model call, a tool, a whole prompt.';
COMMENT ON COLUMN execution_traces.correlation_id IS 'The id of the execution: the first 64 bits of its trace id, then its span id.';
COMMENT ON COLUMN execution_traces.root_id IS 'The trace id. In a trace that began here it is also the id of the root; in a foreign trace no row need have it.';
COMMENT ON COLUMN execution_traces.parent_id IS 'The execution that it ran in. Children end, and are written, before their parents.';
COMMENT ON COLUMN execution_traces.source IS 'user_prompt, agent_delegation, hook_trigger, or any other.';
COMMENT ON COLUMN execution_traces.prompt_text IS 'Of roots only, and only when content is captured.';
COMMENT ON COLUMN execution_traces.duration_ms IS 'Measured by a monotonic clock, in milliseconds with their fractions.';
COMMENT ON COLUMN execution_traces.status IS 'Moves forward only: in_progress, then how it ended; abandoned when its process ended before it did.';
COMMENT ON COLUMN execution_traces.usage IS 'Of model calls: {model, provider, tokens by class, cost, source}.';
COMMENT ON COLUMN execution_traces.input IS 'Only when content is captured.';
COMMENT ON COLUMN execution_traces.output IS 'Only when content is captured.';
COMMENT ON COLUMN execution_traces.user_id IS 'The user who may see the row, and what hangs on it in other tables; NULL: every authenticated user.';
COMMENT ON COLUMN execution_traces.task_id IS 'The task it ran in: task_metadata.task_id; NULL outside of any.';
COMMENT ON COLUMN execution_traces.agent_iteration IS 'Which attempt of the agent at the same work, from 1.';
COMMENT ON COLUMN execution_traces.subtask_id IS 'Given by the application: the part of the task.';
COMMENT ON COLUMN execution_traces.kind IS 'What was executed; latency and memory are measured for agents only.';
COMMENT ON COLUMN execution_traces.agent_role IS 'Of an agent its own role; of what runs inside one, that agent''s.';

CREATE INDEX idx_trace_root ON execution_traces (root_id);
CREATE INDEX idx_trace_session ON execution_traces (session_id);
CREATE INDEX idx_trace_status ON execution_traces (status);
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC);
CREATE INDEX idx_trace_task ON execution_traces (task_id);
CREATE INDEX idx_trace_success ON execution_traces (correlation_id, started_at DESC) WHERE success;
CREATE INDEX idx_trace_tags ON execution_traces USING gin (tags);

CREATE TABLE schema_migrations (
  version     bigint PRIMARY KEY,
  name        text NOT NULL,
  checksum    varchar(64) NOT NULL CHECK (length(checksum) = 64),
  applied_at  timestamptz NOT NULL,
  duration_ms numeric(21, 6) NOT NULL CHECK (duration_ms >= 0)
);
COMMENT ON TABLE schema_migrations IS 'The ledger of migrations; rows are written by the migration runner.';
COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of the file as it was applied: an edited one is refused.';

CREATE TABLE database_identity (
  id         uuid PRIMARY KEY,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE database_identity IS 'Who this database is, so that a journal never lands in another one; exactly one row.';
COMMENT ON COLUMN database_identity.id IS 'By which journals know their database; a copy and a restored backup keep it.';

CREATE TABLE journal_checkpoints (
  journal_id   text PRIMARY KEY,
  position     bigint NOT NULL CHECK (position >= 0),
  stored       bigint NOT NULL DEFAULT 0 CHECK (stored >= 0),
  rejected     bigint NOT NULL DEFAULT 0 CHECK (rejected >= 0),
  dropped      bigint NOT NULL DEFAULT 0 CHECK (dropped >= 0),
  drop_reasons jsonb,
  updated_at   timestamptz NOT NULL
);
COMMENT ON TABLE journal_checkpoints IS 'How far each journal lane has been stored; moved by compare-and-set in the transaction of the rows, which makes the drain exact.';
COMMENT ON COLUMN journal_checkpoints.drop_reasons IS 'How many records were dropped, by reason.';
COMMENT ON COLUMN journal_checkpoints.journal_id IS 'Which lane of which journal.';
COMMENT ON COLUMN journal_checkpoints.position IS 'Up to where the lane is committed; moved by compare-and-set in the transaction of the rows.';
COMMENT ON COLUMN journal_checkpoints.stored IS 'How many records of the lane have become rows, since its beginning.';

CREATE TABLE rejected_records (
  id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  journal_id  text NOT NULL,
  sequence    bigint NOT NULL,
  record      jsonb NOT NULL,
  reason      text NOT NULL,
  rejected_at timestamptz NOT NULL,
  UNIQUE (journal_id, sequence)
);
COMMENT ON TABLE rejected_records IS 'What the database refused, and why.';
COMMENT ON COLUMN rejected_records.sequence IS 'The number of the record in its lane.';
COMMENT ON COLUMN rejected_records.journal_id IS 'Which lane of which journal.';
COMMENT ON COLUMN rejected_records.record IS 'The record as it was read from the journal.';

-- WHEN spares the call of a function for every row that the writer brings, which says all of this by itself.
CREATE TRIGGER touch_task_metadata BEFORE UPDATE ON task_metadata
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();
CREATE TRIGGER touch_execution_traces BEFORE UPDATE ON execution_traces
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();
CREATE TRIGGER measure_execution_traces BEFORE INSERT OR UPDATE ON execution_traces
  FOR EACH ROW WHEN (NEW.duration_ms IS NULL AND NEW.completed_at IS NOT NULL) EXECUTE FUNCTION asp_measure();

-- Who may do what. The owner of the tables, who migrates and usually writes, is not bound by it.
ALTER TABLE task_metadata ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_cost_vector ENABLE ROW LEVEL SECURITY;
ALTER TABLE defect_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE bootstrap_metrics ENABLE ROW LEVEL SECURITY;
ALTER TABLE execution_traces ENABLE ROW LEVEL SECURITY;
ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE database_identity ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE rejected_records ENABLE ROW LEVEL SECURITY;

-- Supabase grants everything on a new table to all three roles; what follows starts from nothing.
REVOKE ALL ON task_metadata, agent_cost_vector, defect_log, bootstrap_metrics, execution_traces, schema_migrations,
  database_identity, journal_checkpoints, rejected_records FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON task_metadata, agent_cost_vector, defect_log, bootstrap_metrics,
  execution_traces, schema_migrations, database_identity, journal_checkpoints, rejected_records TO service_role;
GRANT SELECT ON task_metadata, agent_cost_vector, defect_log, bootstrap_metrics, execution_traces TO authenticated;

CREATE POLICY service ON task_metadata TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON agent_cost_vector TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON defect_log TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON bootstrap_metrics TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON execution_traces TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON schema_migrations TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON database_identity TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON journal_checkpoints TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON rejected_records TO service_role USING (true) WITH CHECK (true);

-- (SELECT ...) makes PostgreSQL ask once per query instead of once per row.
CREATE POLICY own ON task_metadata FOR SELECT TO authenticated
  USING (user_id IS NULL OR user_id = (SELECT asp_user_id()));
CREATE POLICY own ON agent_cost_vector FOR SELECT TO authenticated
  USING (user_id IS NULL OR user_id = (SELECT asp_user_id()));
CREATE POLICY own ON defect_log FOR SELECT TO authenticated
  USING (user_id IS NULL OR user_id = (SELECT asp_user_id()));
CREATE POLICY own ON execution_traces FOR SELECT TO authenticated
  USING (user_id IS NULL OR user_id = (SELECT asp_user_id()));
CREATE POLICY everyone ON bootstrap_metrics FOR SELECT TO authenticated USING (true);

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

-- What was learned: ways that worked, how they did when they were used again, who calls whom, and which errors recur.

CREATE TABLE success_patterns (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  source_correlation_id uuid NOT NULL,
  prompt_text           text,
  prompt_embedding      real[],
  intent                text NOT NULL,
  keywords              text[] NOT NULL,
  agent                 text NOT NULL,
  routing_strategy      text NOT NULL,
  hook_sequence         jsonb NOT NULL,
  endpoint_pattern      jsonb NOT NULL,
  avg_duration_ms       numeric(21, 6) CHECK (avg_duration_ms >= 0 AND avg_duration_ms < 1e15),
  min_duration_ms       numeric(21, 6) CHECK (min_duration_ms >= 0 AND min_duration_ms < 1e15),
  max_duration_ms       numeric(21, 6) CHECK (max_duration_ms >= 0 AND max_duration_ms < 1e15),
  avg_hook_count        numeric(10, 4) CHECK (avg_hook_count >= 0 AND avg_hook_count < 1e6),
  avg_endpoint_count    numeric(10, 4) CHECK (avg_endpoint_count >= 0 AND avg_endpoint_count < 1e6),
  avg_rag_query_count   numeric(10, 4) CHECK (avg_rag_query_count >= 0 AND avg_rag_query_count < 1e6),
  success_score         numeric(5, 4) CHECK (success_score BETWEEN 0 AND 1),
  total_usage_count     integer NOT NULL DEFAULT 0 CHECK (total_usage_count >= 0),
  success_count         integer NOT NULL DEFAULT 0 CHECK (success_count >= 0),
  failure_count         integer NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
  success_rate          numeric(5, 4) GENERATED ALWAYS AS (
                          CASE WHEN total_usage_count > 0 THEN round(success_count::numeric / total_usage_count, 4)
                          ELSE 1 END) STORED,
  context               jsonb,
  tags                  text[],
  created_at            timestamptz NOT NULL DEFAULT now(),
  last_used_at          timestamptz,
  updated_at            timestamptz NOT NULL DEFAULT now(),
  CHECK (success_count + failure_count <= total_usage_count)
);
COMMENT ON TABLE success_patterns IS 'A way through a request that worked, kept so that it can be offered again.';
COMMENT ON COLUMN success_patterns.id IS 'What pattern_id names in other tables.';
COMMENT ON COLUMN success_patterns.source_correlation_id IS 'The root execution it was learned from.';
COMMENT ON COLUMN success_patterns.prompt_text IS 'Only when content is captured.';
COMMENT ON COLUMN success_patterns.prompt_embedding IS 'optional/pgvector.sql adds an index.';
COMMENT ON COLUMN success_patterns.hook_sequence IS 'The hooks that ran, in order.';
COMMENT ON COLUMN success_patterns.endpoint_pattern IS 'The services that were called, in order.';
COMMENT ON COLUMN success_patterns.success_score IS 'How clear the success was: completed .25, no errors .25, hooks .15, gates .15, fast enough .10, intelligence gathered .05, confirmed by the user .05.';
COMMENT ON COLUMN success_patterns.total_usage_count IS 'Uses whose outcome is known; counted from pattern_usage_log.';
COMMENT ON COLUMN success_patterns.success_rate IS '1 while it was never used.';
COMMENT ON COLUMN success_patterns.intent IS 'What the request was about, in a word.';

CREATE INDEX idx_pattern_intent ON success_patterns (intent);
CREATE INDEX idx_pattern_agent ON success_patterns (agent);
CREATE INDEX idx_pattern_success_rate ON success_patterns (success_rate DESC);
CREATE INDEX idx_pattern_last_used ON success_patterns (last_used_at DESC NULLS LAST);
CREATE INDEX idx_pattern_keywords ON success_patterns USING gin (keywords);
CREATE INDEX idx_pattern_tags ON success_patterns USING gin (tags);

CREATE TABLE pattern_usage_log (
  id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  pattern_id           uuid NOT NULL,
  correlation_id       uuid NOT NULL,
  user_request         text NOT NULL,
  match_score          numeric(5, 4) NOT NULL CHECK (match_score BETWEEN 0 AND 1),
  used                 boolean NOT NULL,
  outcome              varchar(20),
  success              boolean,
  deviations           jsonb,
  expected_duration_ms numeric(21, 6) CHECK (expected_duration_ms >= 0 AND expected_duration_ms < 1e15),
  actual_duration_ms   numeric(21, 6) CHECK (actual_duration_ms >= 0 AND actual_duration_ms < 1e15),
  performance_variance numeric(14, 4) CHECK (performance_variance < 1e10),
  user_feedback        text,
  used_at              timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pattern_usage_log IS 'Each time that a pattern was offered, whether it was used, and how that went.';
COMMENT ON COLUMN pattern_usage_log.pattern_id IS 'success_patterns.id.';
COMMENT ON COLUMN pattern_usage_log.correlation_id IS 'The execution that it was offered to: execution_traces.correlation_id.';
COMMENT ON COLUMN pattern_usage_log.outcome IS 'success, failure, partial_success, or any other; NULL while it is not known.';
COMMENT ON COLUMN pattern_usage_log.performance_variance IS '(actual - expected) / expected: above 0 it took longer.';
COMMENT ON COLUMN pattern_usage_log.match_score IS '0 to 1: offered from .70, considered from .75, replayed from .85.';
COMMENT ON COLUMN pattern_usage_log.deviations IS 'Where the run left the pattern.';

CREATE INDEX idx_usage_pattern ON pattern_usage_log (pattern_id);
CREATE INDEX idx_usage_correlation ON pattern_usage_log (correlation_id);
CREATE INDEX idx_usage_outcome ON pattern_usage_log (outcome);
CREATE INDEX idx_usage_used ON pattern_usage_log (used_at DESC);

CREATE TABLE agent_chaining_patterns (
  id                           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  primary_agent                text NOT NULL,
  delegated_agents             text[] NOT NULL,
  delegation_depth             integer NOT NULL CHECK (delegation_depth >= 0),
  trigger_context              text NOT NULL,
  success_rate                 numeric(5, 4) NOT NULL DEFAULT 1 CHECK (success_rate BETWEEN 0 AND 1),
  usage_count                  integer NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
  avg_total_duration_ms        numeric(21, 6) CHECK (avg_total_duration_ms >= 0 AND avg_total_duration_ms < 1e15),
  avg_coordination_overhead_ms numeric(21, 6)
                               CHECK (avg_coordination_overhead_ms >= 0 AND avg_coordination_overhead_ms < 1e15),
  source_traces                uuid[] NOT NULL,
  tags                         text[],
  created_at                   timestamptz NOT NULL DEFAULT now(),
  last_used_at                 timestamptz,
  updated_at                   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE agent_chaining_patterns IS 'Which agents an agent calls, found from the trace trees.';
COMMENT ON COLUMN agent_chaining_patterns.delegated_agents IS 'In the order of their calls.';
COMMENT ON COLUMN agent_chaining_patterns.trigger_context IS 'What the requests had in common.';
COMMENT ON COLUMN agent_chaining_patterns.avg_coordination_overhead_ms IS 'Time of the primary agent that was not spent in those it called.';
COMMENT ON COLUMN agent_chaining_patterns.source_traces IS 'The root ids it was found in.';

CREATE INDEX idx_chaining_agent ON agent_chaining_patterns (primary_agent);
CREATE INDEX idx_chaining_success_rate ON agent_chaining_patterns (success_rate DESC);
CREATE INDEX idx_chaining_usage ON agent_chaining_patterns (usage_count DESC);

CREATE TABLE error_patterns (
  id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  error_type             text NOT NULL,
  error_message_pattern  text NOT NULL,
  agent                  text,
  hook_type              text,
  endpoint_path          text,
  occurrence_count       integer NOT NULL DEFAULT 1 CHECK (occurrence_count >= 0),
  first_seen_at          timestamptz NOT NULL DEFAULT now(),
  last_seen_at           timestamptz NOT NULL DEFAULT now(),
  sample_correlation_ids uuid[] NOT NULL,
  known_fix              jsonb,
  prevention_strategy    jsonb,
  tags                   text[],
  severity               varchar(20) CHECK (severity IN ('critical', 'high', 'medium', 'low')),
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE error_patterns IS 'An error that recurs; found by the writer.';
COMMENT ON COLUMN error_patterns.error_message_pattern IS 'The message with numbers, ids, paths and quoted values replaced by placeholders.';
COMMENT ON COLUMN error_patterns.sample_correlation_ids IS 'The newest ten executions that had it.';
COMMENT ON COLUMN error_patterns.known_fix IS 'What has helped, in the form the application chose.';
COMMENT ON COLUMN error_patterns.prevention_strategy IS 'What would keep it from happening.';

-- What makes two errors the same; a hash, because a message may be longer than an index entry.
CREATE UNIQUE INDEX idx_error_same ON error_patterns
  (error_type, md5(error_message_pattern), agent, hook_type, endpoint_path) NULLS NOT DISTINCT;
CREATE INDEX idx_error_agent ON error_patterns (agent) WHERE agent IS NOT NULL;
CREATE INDEX idx_error_endpoint ON error_patterns (endpoint_path) WHERE endpoint_path IS NOT NULL;
CREATE INDEX idx_error_occurrences ON error_patterns (occurrence_count DESC);
CREATE INDEX idx_error_severity ON error_patterns (severity);

CREATE TRIGGER touch_success_patterns BEFORE UPDATE ON success_patterns
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();
CREATE TRIGGER touch_agent_chaining_patterns BEFORE UPDATE ON agent_chaining_patterns
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();
CREATE TRIGGER touch_error_patterns BEFORE UPDATE ON error_patterns
  FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at) EXECUTE FUNCTION asp_touch();

-- Counts the difference, so that an outcome may be told, or corrected, later. Rows that retention deletes stay counted.
CREATE FUNCTION asp_count_usage() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  -- no outcome, no count: a use that is still running would look like a failure
  known integer := (NEW.used AND NEW.outcome IS NOT NULL)::integer;
  won   integer := coalesce(NEW.used AND NEW.outcome = 'success', false)::integer;
  lost  integer := coalesce(NEW.used AND NEW.outcome = 'failure', false)::integer;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    known := known - (OLD.used AND OLD.outcome IS NOT NULL)::integer;
    won := won - coalesce(OLD.used AND OLD.outcome = 'success', false)::integer;
    lost := lost - coalesce(OLD.used AND OLD.outcome = 'failure', false)::integer;
  END IF;
  -- by its full name: the caller's search path may be another one
  EXECUTE format(
    'UPDATE %I.success_patterns SET total_usage_count = total_usage_count + $1, success_count = success_count + $2, '
    'failure_count = failure_count + $3, last_used_at = CASE WHEN $4 THEN greatest(last_used_at, $5) '
    'ELSE last_used_at END WHERE id = $6', TG_TABLE_SCHEMA)
  USING known, won, lost, NEW.used, NEW.used_at, NEW.pattern_id;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION asp_count_usage() IS 'Keeps the usage counters of success_patterns.';
CREATE TRIGGER count_pattern_usage AFTER INSERT OR UPDATE OF used, outcome ON pattern_usage_log
  FOR EACH ROW EXECUTE FUNCTION asp_count_usage();

CREATE FUNCTION asp_match_patterns(embedding real[], at_least double precision DEFAULT 0.7, at_most integer DEFAULT 10)
RETURNS TABLE (
  pattern_id uuid, similarity double precision, intent text, agent text, routing_strategy text, success_rate numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT pattern.id, near.similarity, pattern.intent, pattern.agent, pattern.routing_strategy, pattern.success_rate
  FROM success_patterns AS pattern
  CROSS JOIN LATERAL (
    SELECT sum(pair.ours::double precision * pair.theirs)
      / nullif(sqrt(sum(pair.ours::double precision ^ 2)) * sqrt(sum(pair.theirs::double precision ^ 2)), 0)
      AS similarity
    FROM unnest(pattern.prompt_embedding, embedding) AS pair (ours, theirs)
  ) AS near
  -- vectors of two models have nothing to do with each other
  WHERE cardinality(pattern.prompt_embedding) = cardinality(embedding) AND near.similarity >= at_least
  ORDER BY near.similarity DESC, pattern.success_rate DESC, pattern.id
  LIMIT at_most;
END;
COMMENT ON FUNCTION asp_match_patterns(real[], double precision, integer) IS
  'Success patterns whose prompt lies near a vector, by cosine similarity. Reads all of them; optional/pgvector.sql replaces it by one that uses an index.';

CREATE FUNCTION asp_record_outcome(
  usage_id uuid, outcome text, actual_duration_ms numeric DEFAULT NULL, user_feedback text DEFAULT NULL
)
RETURNS uuid
LANGUAGE sql
BEGIN ATOMIC
  UPDATE pattern_usage_log AS log SET
    outcome = asp_record_outcome.outcome,
    success = asp_record_outcome.outcome = 'success',
    actual_duration_ms = coalesce(asp_record_outcome.actual_duration_ms, log.actual_duration_ms),
    performance_variance = coalesce(
      (asp_record_outcome.actual_duration_ms - log.expected_duration_ms) / nullif(log.expected_duration_ms, 0),
      log.performance_variance),
    user_feedback = coalesce(asp_record_outcome.user_feedback, log.user_feedback)
  WHERE log.id = usage_id
  RETURNING log.pattern_id;
END;
COMMENT ON FUNCTION asp_record_outcome(uuid, text, numeric, text) IS
  'Says how the use of a pattern went; its counters follow. Returns the pattern, or NULL if there is no such use.';

CREATE FUNCTION asp_record_error(
  error_type text, error_message_pattern text, correlation_id uuid, agent text DEFAULT NULL,
  hook_type text DEFAULT NULL, endpoint_path text DEFAULT NULL, severity text DEFAULT NULL,
  seen_at timestamptz DEFAULT now()
)
RETURNS uuid
LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO error_patterns AS known (
    error_type, error_message_pattern, agent, hook_type, endpoint_path, first_seen_at, last_seen_at,
    sample_correlation_ids, severity
  ) VALUES (
    asp_record_error.error_type, asp_record_error.error_message_pattern, asp_record_error.agent,
    asp_record_error.hook_type, asp_record_error.endpoint_path, seen_at, seen_at,
    ARRAY[asp_record_error.correlation_id], asp_record_error.severity
  )
  ON CONFLICT (error_type, md5(error_message_pattern), agent, hook_type, endpoint_path) DO UPDATE SET
    occurrence_count = known.occurrence_count + 1,
    first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    sample_correlation_ids = (excluded.sample_correlation_ids || known.sample_correlation_ids)[1:10],
    severity = coalesce(excluded.severity, known.severity)
  RETURNING known.id;
END;
COMMENT ON FUNCTION asp_record_error(text, text, uuid, text, text, text, text, timestamptz) IS
  'Counts an error: a new pattern, or one more occurrence of a known one. Returns the pattern.';

CREATE FUNCTION asp_prune(
  traces interval DEFAULT '90 days', usage_log interval DEFAULT '180 days', patterns interval DEFAULT '30 days'
)
RETURNS TABLE (what text, row_count bigint)
LANGUAGE sql
BEGIN ATOMIC
  WITH forgotten_usage AS (
    DELETE FROM pattern_usage_log WHERE used_at < now() - usage_log RETURNING 1
  ), forgotten_patterns AS (
    DELETE FROM success_patterns
    WHERE total_usage_count < 5 AND success_rate < 0.5
      AND coalesce(last_used_at, created_at) < now() - patterns
    RETURNING 1
  )
  SELECT 'execution_traces archived', asp_archive_traces(traces, 1000000)
  UNION ALL SELECT 'pattern_usage_log deleted', count(*) FROM forgotten_usage
  UNION ALL SELECT 'success_patterns deleted', count(*) FROM forgotten_patterns;
END;
COMMENT ON FUNCTION asp_prune(interval, interval, interval) IS
  'Applies the retention: old traces go to the archive, old uses go, and so do patterns used less than five times that mostly failed. The cost ledger is never touched.';

ALTER TABLE success_patterns ENABLE ROW LEVEL SECURITY;
ALTER TABLE pattern_usage_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_chaining_patterns ENABLE ROW LEVEL SECURITY;
ALTER TABLE error_patterns ENABLE ROW LEVEL SECURITY;

-- Patterns mix what many users did: they are for the service alone.
REVOKE ALL ON success_patterns, pattern_usage_log, agent_chaining_patterns, error_patterns
  FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON success_patterns, pattern_usage_log, agent_chaining_patterns, error_patterns
  TO service_role;
REVOKE ALL ON FUNCTION asp_match_patterns(real[], double precision, integer),
  asp_record_outcome(uuid, text, numeric, text),
  asp_record_error(text, text, uuid, text, text, text, text, timestamptz), asp_prune(interval, interval, interval)
  FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION asp_match_patterns(real[], double precision, integer),
  asp_record_outcome(uuid, text, numeric, text),
  asp_record_error(text, text, uuid, text, text, text, text, timestamptz), asp_prune(interval, interval, interval)
  TO service_role;

CREATE POLICY service ON success_patterns TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON pattern_usage_log TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON agent_chaining_patterns TO service_role USING (true) WITH CHECK (true);
CREATE POLICY service ON error_patterns TO service_role USING (true) WITH CHECK (true);

-- The views that people and dashboards read. Each shows what the reader may see (security_invoker): without it a view
-- would look with its owner's eyes. Percentiles are values that occurred: the smallest below which lie 95 % of all.

-- What each role cost per day. Cost is NULL, not 0, where no price was known.
CREATE VIEW daily_cost_summary WITH (security_invoker = true) AS
SELECT
  execution_date AS day, agent_role, project_id,
  count(DISTINCT correlation_id) AS executions,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms
FROM agent_cost_vector
GROUP BY execution_date, agent_role, project_id;
COMMENT ON VIEW daily_cost_summary IS 'What each role cost per day (UTC) and project.';

-- The day stands beside the hour because it is what the index is on.
CREATE VIEW hourly_agent_performance WITH (security_invoker = true) AS
SELECT
  execution_date AS day, date_trunc('hour', timestamp, 'UTC') AS hour, agent_role,
  count(DISTINCT task_id) AS tasks,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY metric_value) FILTER (WHERE metric_type = 'Latency') AS p95_latency_ms,
  sum(metric_value) FILTER (WHERE metric_type = 'Retries') AS retries
FROM agent_cost_vector
GROUP BY execution_date, date_trunc('hour', timestamp, 'UTC'), agent_role;
COMMENT ON VIEW hourly_agent_performance IS 'How fast each role was per hour (UTC); filter by day to use an index.';

CREATE VIEW probe_training_data WITH (security_invoker = true) AS
SELECT
  task_id, project_id, task_type, bootstrap_phase, completed_at, semantic_units_json,
  estimated_complexity, actual_complexity,
  -- anything that is no number is left out instead of failing the whole view
  jsonb_path_query_first(estimated_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::numeric
    AS estimated_latency_ms,
  jsonb_path_query_first(estimated_cost_vector_json, '$.tokens ? (@.type() == "number")')::numeric
    AS estimated_tokens,
  jsonb_path_query_first(estimated_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::numeric
    AS estimated_api_cost_usd,
  jsonb_path_query_first(actual_cost_vector_json, '$.latency_ms ? (@.type() == "number")')::numeric
    AS actual_latency_ms,
  jsonb_path_query_first(actual_cost_vector_json, '$.tokens ? (@.type() == "number")')::numeric AS actual_tokens,
  jsonb_path_query_first(actual_cost_vector_json, '$.api_cost_usd ? (@.type() == "number")')::numeric
    AS actual_api_cost_usd,
  defect_count, defect_density
FROM task_metadata
WHERE status = 'completed' AND estimated_complexity IS NOT NULL AND actual_cost_vector_json IS NOT NULL;
COMMENT ON VIEW probe_training_data IS 'Finished tasks with what was estimated and what they took: what PROBE-AI learns from.';

CREATE VIEW review_agent_effectiveness WITH (security_invoker = true) AS
WITH phases (phase, place) AS (
  VALUES ('Planning', 1), ('Design', 2), ('DesignReview', 3), ('Code', 4), ('CodeReview', 5), ('Test', 6),
         ('Postmortem', 7)
), judged AS (
  SELECT
    review.phase AS review_phase, review.place,
    removed.place = review.place AND defect.flagged_by_agent AND defect.validated_by_human
      AND NOT coalesce(defect.false_positive, false) AS true_positive,
    removed.place = review.place AND defect.flagged_by_agent AND defect.false_positive AS false_positive,
    removed.place = review.place AND defect.flagged_by_agent AND NOT coalesce(defect.validated_by_human, false)
      AND NOT coalesce(defect.false_positive, false) AS unvalidated,
    injected.place < review.place AND removed.place > review.place
      AND NOT coalesce(defect.false_positive, false) AS escaped
  FROM phases AS review
  LEFT JOIN (
    defect_log AS defect
    JOIN phases AS injected ON injected.phase = defect.phase_injected
    JOIN phases AS removed ON removed.phase = defect.phase_removed
  ) ON removed.place >= review.place
  WHERE review.phase IN ('DesignReview', 'CodeReview')
), counted AS (
  SELECT
    review_phase, place,
    count(*) FILTER (WHERE true_positive) AS true_positives,
    count(*) FILTER (WHERE false_positive) AS false_positives,
    count(*) FILTER (WHERE unvalidated) AS unvalidated,
    count(*) FILTER (WHERE escaped) AS escapes
  FROM judged
  GROUP BY review_phase, place
)
SELECT
  review_phase, true_positives, false_positives, unvalidated, escapes,
  1.0 * true_positives / nullif(true_positives + false_positives, 0) AS true_positive_rate,
  1.0 * false_positives / nullif(true_positives + false_positives, 0) AS false_positive_rate,
  1.0 * escapes / nullif(true_positives + escapes, 0) AS escape_rate
FROM counted
ORDER BY place;
COMMENT ON VIEW review_agent_effectiveness IS 'What the review agents found, wrongly found and let through. Rates are 0 to 1: of what a person has judged; escapes of what there was to find.';

CREATE VIEW defect_density_by_component WITH (security_invoker = true) AS
WITH touched AS (
  SELECT unnest(components_affected) AS component_path, task_id FROM task_metadata
  UNION
  SELECT component_path, task_id FROM defect_log
  WHERE component_path IS NOT NULL AND NOT coalesce(false_positive, false)
), worked AS (
  SELECT touched.component_path, count(*) AS tasks,
    sum(coalesce(task.actual_complexity, task.estimated_complexity)) AS complexity
  FROM touched LEFT JOIN task_metadata AS task ON task.task_id = touched.task_id
  GROUP BY touched.component_path
), found AS (
  SELECT component_path, count(*) AS defects,
    count(*) FILTER (WHERE severity IN ('Critical', 'High')) AS severe_defects
  FROM defect_log
  WHERE component_path IS NOT NULL AND NOT coalesce(false_positive, false)
  GROUP BY component_path
)
SELECT
  worked.component_path, worked.tasks, worked.complexity, coalesce(found.defects, 0) AS defects,
  coalesce(found.severe_defects, 0) AS severe_defects,
  1.0 * coalesce(found.defects, 0) / nullif(worked.complexity, 0) AS defect_density
FROM worked LEFT JOIN found ON found.component_path = worked.component_path;
COMMENT ON VIEW defect_density_by_component IS 'Defects of each component per unit of complexity of the tasks that touched it; false positives left out.';

CREATE VIEW bootstrap_status WITH (security_invoker = true) AS
SELECT
  capability_name, capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name,
  primary_metric_value, primary_metric_target, metric_direction,
  CASE metric_direction WHEN 'lower_is_better' THEN primary_metric_value <= primary_metric_target
    ELSE primary_metric_value >= primary_metric_target END AS on_target,
  tasks_completed >= tasks_required_for_graduation AS enough_tasks,
  graduation_criteria_met, graduation_notes, measured_at
FROM (
  SELECT *, row_number() OVER (PARTITION BY capability_name ORDER BY measured_at DESC, id DESC) AS place
  FROM bootstrap_metrics
) AS newest
WHERE place = 1;
COMMENT ON VIEW bootstrap_status IS 'The newest measurement of each capability, and whether its metric has reached the target in its own direction.';

-- One row per trace, at its root, or where the root lies elsewhere at its earliest execution here.
CREATE VIEW trace_summary WITH (security_invoker = true) AS
SELECT
  entry.root_id, entry.correlation_id, entry.session_id, entry.user_id, entry.task_id, entry.source, entry.name,
  entry.environment, entry.started_at, entry.completed_at, entry.duration_ms, entry.status,
  (SELECT count(*) FROM execution_traces AS member WHERE member.root_id = entry.root_id) AS executions,
  (SELECT count(*) FROM execution_traces AS member
   WHERE member.root_id = entry.root_id AND member.kind = 'agent') AS agents,
  (SELECT count(*) FROM hook_executions AS hook WHERE hook.correlation_id IN (
     SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
     UNION ALL SELECT entry.root_id)) AS hooks,
  (SELECT count(*) FROM endpoint_calls AS call WHERE call.correlation_id IN (
     SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
     UNION ALL SELECT entry.root_id)) AS endpoints,
  (SELECT sum(cost.metric_value) FROM execution_traces AS member
   JOIN agent_cost_vector AS cost ON cost.correlation_id = member.correlation_id
   WHERE member.root_id = entry.root_id AND cost.metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens,
  (SELECT sum(cost.metric_value) FROM execution_traces AS member
   JOIN agent_cost_vector AS cost ON cost.correlation_id = member.correlation_id
   WHERE member.root_id = entry.root_id AND cost.metric_type = 'API_Cost') AS api_cost_usd
FROM execution_traces AS entry
WHERE entry.correlation_id = entry.root_id
  OR (NOT EXISTS (SELECT 1 FROM execution_traces AS root WHERE root.correlation_id = entry.root_id)
    AND entry.correlation_id = (
      SELECT member.correlation_id FROM execution_traces AS member WHERE member.root_id = entry.root_id
      ORDER BY member.started_at, member.correlation_id LIMIT 1));
COMMENT ON VIEW trace_summary IS 'One row per trace: its agents, hooks, endpoint calls, tokens, cost, duration and status.';

CREATE VIEW agent_performance WITH (security_invoker = true) AS
WITH runs AS (
  SELECT
    agent_role,
    count(*) FILTER (WHERE status <> 'in_progress') AS executions,
    count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
    count(*) FILTER (WHERE status = 'success') AS successes,
    avg(duration_ms) AS average_duration_ms,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS median_duration_ms,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms
  FROM execution_traces
  WHERE kind = 'agent'
  GROUP BY agent_role
), costs AS (
  SELECT agent_role, sum(metric_value) AS api_cost_usd
  FROM agent_cost_vector
  WHERE metric_type = 'API_Cost'
  GROUP BY agent_role
)
SELECT
  runs.agent_role, runs.executions, runs.in_progress, runs.successes,
  1.0 * runs.successes / nullif(runs.executions, 0) AS success_rate,
  runs.average_duration_ms, runs.median_duration_ms, runs.p95_duration_ms,
  costs.api_cost_usd, costs.api_cost_usd / nullif(runs.successes, 0) AS cost_per_success_usd
FROM runs LEFT JOIN costs ON costs.agent_role = runs.agent_role;
COMMENT ON VIEW agent_performance IS 'How often each role succeeds, how long it takes, and what a success costs, failures included.';

CREATE VIEW hook_performance_summary WITH (security_invoker = true) AS
SELECT
  hook_type, tool_name,
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  1.0 * count(*) FILTER (WHERE success) / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0) AS success_rate,
  avg(duration_ms) AS average_duration_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms,
  max(started_at) AS last_started_at
FROM hook_executions
GROUP BY hook_type, tool_name;
COMMENT ON VIEW hook_performance_summary IS 'How often each hook runs, how long it takes, and how often it succeeds.';

CREATE VIEW endpoint_reliability WITH (security_invoker = true) AS
SELECT
  service_name, endpoint_path, http_method,
  count(*) AS calls,
  1.0 * count(*) FILTER (WHERE success) / count(*) AS success_rate,
  count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
  sum(retry_count) AS retries,
  avg(duration_ms) AS average_duration_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_duration_ms,
  max(started_at) FILTER (WHERE NOT success) AS last_failure_at
FROM endpoint_calls
GROUP BY service_name, endpoint_path, http_method;
COMMENT ON VIEW endpoint_reliability IS 'How often each endpoint answers, and how fast.';

CREATE VIEW error_analysis WITH (security_invoker = true) AS
SELECT
  error_type, agent_role, name,
  count(*) AS occurrences,
  count(DISTINCT root_id) AS traces,
  min(started_at) AS first_seen_at,
  max(started_at) AS last_seen_at
FROM execution_traces
WHERE status IN ('error', 'timeout')
GROUP BY error_type, agent_role, name;
COMMENT ON VIEW error_analysis IS 'Which errors occur where, how often, since when.';

CREATE VIEW pattern_effectiveness WITH (security_invoker = true) AS
SELECT
  pattern.id AS pattern_id, pattern.intent, pattern.agent, pattern.success_score,
  count(log.id) AS offered,
  count(log.id) FILTER (WHERE log.used) AS used,
  pattern.success_count, pattern.failure_count, pattern.success_rate,
  avg(log.match_score) AS average_match_score,
  avg(log.performance_variance) AS average_performance_variance,
  pattern.last_used_at
FROM success_patterns AS pattern
LEFT JOIN pattern_usage_log AS log ON log.pattern_id = pattern.id
GROUP BY pattern.id;
COMMENT ON VIEW pattern_effectiveness IS 'How often each pattern was offered and used, and how that went.';

CREATE VIEW dashboard_summary WITH (security_invoker = true) AS
SELECT
  (SELECT count(*) FROM task_metadata WHERE status = 'in_progress') AS tasks_in_progress,
  (SELECT count(*) FROM task_metadata WHERE status = 'failed') AS tasks_failed,
  (SELECT count(*) FROM execution_traces WHERE status = 'in_progress') AS executions_in_progress,
  (SELECT count(*) FROM execution_traces WHERE started_at >= now() - interval '24 hours') AS executions_24h,
  (SELECT count(*) FROM execution_traces
   WHERE started_at >= now() - interval '24 hours' AND status IN ('error', 'timeout', 'abandoned')) AS failures_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '24 hours' AND metric_type = 'API_Cost') AS api_cost_usd_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '24 hours' AND metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= now() - interval '30 days' AND metric_type = 'API_Cost') AS api_cost_usd_30d,
  (SELECT count(*) FROM defect_log WHERE resolved_at IS NULL AND NOT coalesce(false_positive, false)) AS open_defects,
  (SELECT count(*) FROM bootstrap_status) AS capabilities,
  (SELECT count(*) FROM bootstrap_status WHERE on_target) AS capabilities_on_target;
COMMENT ON VIEW dashboard_summary IS 'One row: what goes on now, and what the last day and the last thirty days cost.';

REVOKE ALL ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, pattern_effectiveness, dashboard_summary FROM PUBLIC, anon, authenticated;
GRANT SELECT ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, pattern_effectiveness, dashboard_summary TO service_role;
GRANT SELECT ON daily_cost_summary, hourly_agent_performance, probe_training_data, review_agent_effectiveness,
  defect_density_by_component, bootstrap_status, trace_summary, agent_performance, hook_performance_summary,
  endpoint_reliability, error_analysis, dashboard_summary TO authenticated;

COMMIT;
