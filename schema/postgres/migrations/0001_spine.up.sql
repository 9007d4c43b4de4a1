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
CREATE INDEX idx_cost_metric ON agent_cost_vector (metric_type);
CREATE INDEX idx_cost_execution_date ON agent_cost_vector (execution_date DESC);
CREATE INDEX idx_cost_correlation ON agent_cost_vector (correlation_id);
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
