-- The whole SQLite schema at a glance: what all migrations together make. Paste it to look at it:
--   sqlite3 :memory: < schema/sqlite/schema.sql
-- For a database to work with run `asp-telemetry init`, which also keeps the ledger of migrations.
-- Conventions: STRICT tables; UUID, JSON, arrays (as JSON) and closed lists are TEXT; booleans are 0 or 1;
-- timestamps are UTC text `YYYY-MM-DD HH:MM:SS.ffffff`, so that they compare correctly with datetime('now', ...).

-- One unit of work.
CREATE TABLE task_metadata (
  task_id                    TEXT NOT NULL PRIMARY KEY CHECK (length(task_id) <= 100),
  created_at                 TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                             CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  started_at                 TEXT CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at               TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????'),
  project_id                 TEXT CHECK (length(project_id) <= 100),
  task_type                  TEXT CHECK (length(task_type) <= 50),
  task_description           TEXT,
  requirements_text          TEXT,
  semantic_units_json        TEXT CHECK (semantic_units_json IS NULL OR json_valid(semantic_units_json)),
  estimated_complexity       INTEGER CHECK (estimated_complexity BETWEEN -2147483648 AND 2147483647),
  actual_complexity          INTEGER CHECK (actual_complexity BETWEEN -2147483648 AND 2147483647),
  estimated_cost_vector_json TEXT CHECK (estimated_cost_vector_json IS NULL OR json_valid(estimated_cost_vector_json)),
  actual_cost_vector_json    TEXT CHECK (actual_cost_vector_json IS NULL OR json_valid(actual_cost_vector_json)),
  defect_count               INTEGER DEFAULT 0 CHECK (defect_count BETWEEN -2147483648 AND 2147483647),
  defect_density             REAL CHECK (defect_density > -1e5 AND defect_density < 1e5),
  components_affected        TEXT CHECK (components_affected IS NULL OR (json_valid(components_affected)
                             AND json_type(components_affected) = 'array')),
  bootstrap_phase            TEXT CHECK (bootstrap_phase IN ('Learning', 'Shadow', 'Autonomous')),
  human_reviewed             INTEGER DEFAULT 0 CHECK (human_reviewed IN (0, 1)),
  human_corrections_json     TEXT CHECK (human_corrections_json IS NULL OR json_valid(human_corrections_json)),
  status                     TEXT NOT NULL DEFAULT 'pending'
                             CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
  metadata                   TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  user_id                    TEXT CHECK (length(user_id) <= 100),
  updated_at                 TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                             CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_task_project ON task_metadata (project_id);
CREATE INDEX idx_task_type ON task_metadata (task_type);
CREATE INDEX idx_task_created ON task_metadata (created_at DESC);
CREATE INDEX idx_task_status ON task_metadata (status);
CREATE INDEX idx_task_bootstrap_phase ON task_metadata (bootstrap_phase);

-- One metric of one execution: additive, insert-only.
CREATE TABLE agent_cost_vector (
  id              INTEGER PRIMARY KEY,
  timestamp       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                  CHECK (timestamp GLOB '????-??-?? ??:??:??.??????'),
  execution_date  TEXT GENERATED ALWAYS AS (substr(timestamp, 1, 10)) VIRTUAL,
  task_id         TEXT NOT NULL CHECK (length(task_id) <= 100),
  subtask_id      TEXT CHECK (length(subtask_id) <= 100),
  project_id      TEXT CHECK (length(project_id) <= 100),
  user_id         TEXT CHECK (length(user_id) <= 100),
  correlation_id  TEXT CHECK (length(correlation_id) = 36),
  agent_role      TEXT NOT NULL CHECK (length(agent_role) <= 50),
  agent_version   TEXT CHECK (length(agent_version) <= 20),
  agent_iteration INTEGER DEFAULT 1 CHECK (agent_iteration BETWEEN -2147483648 AND 2147483647),
  metric_type     TEXT NOT NULL CHECK (length(metric_type) <= 50),
  -- the upper bound is that of NUMERIC(24,10) and keeps infinity out
  metric_value    REAL NOT NULL CHECK (metric_value >= 0 AND metric_value < 1e14),
  metric_unit     TEXT NOT NULL CHECK (length(metric_unit) <= 20),
  nested          INTEGER NOT NULL DEFAULT 0 CHECK (nested IN (0, 1)),
  llm_model       TEXT CHECK (length(llm_model) <= 100),
  llm_provider    TEXT CHECK (length(llm_provider) <= 50),
  metadata        TEXT CHECK (metadata IS NULL OR json_valid(metadata))
) STRICT;

CREATE INDEX idx_cost_task ON agent_cost_vector (task_id);
CREATE INDEX idx_cost_timestamp ON agent_cost_vector (timestamp DESC);
CREATE INDEX idx_cost_role_metric_timestamp ON agent_cost_vector (agent_role, metric_type, timestamp DESC);
CREATE INDEX idx_cost_execution_date ON agent_cost_vector (execution_date DESC);
CREATE INDEX idx_cost_correlation ON agent_cost_vector (correlation_id);
-- Answers questions about costs without the table, and adds up in its order; the last five columns are only carried along.
CREATE INDEX idx_cost_metric_time ON agent_cost_vector (metric_type, substr(timestamp, 1, 10), agent_role, agent_version,
  llm_model, llm_provider, timestamp, project_id, user_id, nested, metric_value, task_id);

-- One defect: where it was put in and where it was taken out.
CREATE TABLE defect_log (
  defect_id          TEXT NOT NULL PRIMARY KEY CHECK (length(defect_id) <= 50),
  created_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                     CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  resolved_at        TEXT CHECK (resolved_at GLOB '????-??-?? ??:??:??.??????'),
  task_id            TEXT NOT NULL CHECK (length(task_id) <= 100),
  project_id         TEXT CHECK (length(project_id) <= 100),
  user_id            TEXT CHECK (length(user_id) <= 100),
  correlation_id     TEXT CHECK (length(correlation_id) = 36),
  defect_type        TEXT NOT NULL CHECK (length(defect_type) <= 50),
  severity           TEXT CHECK (severity IN ('Critical', 'High', 'Medium', 'Low')),
  phase_injected     TEXT NOT NULL CHECK (length(phase_injected) <= 50),
  phase_removed      TEXT NOT NULL CHECK (length(phase_removed) <= 50),
  component_path     TEXT,
  function_name      TEXT CHECK (length(function_name) <= 200),
  line_number        INTEGER CHECK (line_number BETWEEN -2147483648 AND 2147483647),
  effort_to_fix_json TEXT CHECK (effort_to_fix_json IS NULL OR json_valid(effort_to_fix_json)),
  description        TEXT NOT NULL,
  root_cause         TEXT,
  resolution_notes   TEXT,
  flagged_by_agent   INTEGER DEFAULT 0 CHECK (flagged_by_agent IN (0, 1)),
  validated_by_human INTEGER DEFAULT 0 CHECK (validated_by_human IN (0, 1)),
  false_positive     INTEGER DEFAULT 0 CHECK (false_positive IN (0, 1)),
  metadata           TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
  CHECK (phase_injected <> phase_removed),
  CHECK (resolved_at >= created_at)
) STRICT;

CREATE INDEX idx_defect_task ON defect_log (task_id);
CREATE INDEX idx_defect_type ON defect_log (defect_type);
CREATE INDEX idx_defect_phase_injected ON defect_log (phase_injected);
CREATE INDEX idx_defect_phase_removed ON defect_log (phase_removed);
CREATE INDEX idx_defect_component ON defect_log (component_path);
CREATE INDEX idx_defect_created ON defect_log (created_at DESC);
CREATE INDEX idx_defect_review ON defect_log (flagged_by_agent, validated_by_human, false_positive);

-- How far a capability has learned.
CREATE TABLE bootstrap_metrics (
  id                            INTEGER PRIMARY KEY,
  measured_at                   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                                CHECK (measured_at GLOB '????-??-?? ??:??:??.??????'),
  measurement_period_start      TEXT NOT NULL CHECK (measurement_period_start GLOB '????-??-?? ??:??:??.??????'),
  measurement_period_end        TEXT NOT NULL CHECK (measurement_period_end GLOB '????-??-?? ??:??:??.??????'),
  capability_name               TEXT NOT NULL CHECK (length(capability_name) <= 50),
  capability_mode               TEXT NOT NULL CHECK (capability_mode IN ('Learning', 'Shadow', 'Autonomous')),
  tasks_completed               INTEGER NOT NULL CHECK (tasks_completed BETWEEN 0 AND 2147483647),
  tasks_required_for_graduation INTEGER NOT NULL CHECK (tasks_required_for_graduation BETWEEN 1 AND 2147483647),
  primary_metric_name           TEXT NOT NULL CHECK (length(primary_metric_name) <= 50),
  primary_metric_value          REAL NOT NULL CHECK (primary_metric_value > -1e6 AND primary_metric_value < 1e6),
  primary_metric_target         REAL NOT NULL CHECK (primary_metric_target > -1e6 AND primary_metric_target < 1e6),
  metric_direction              TEXT NOT NULL CHECK (metric_direction IN ('lower_is_better', 'higher_is_better')),
  secondary_metrics_json        TEXT CHECK (secondary_metrics_json IS NULL OR json_valid(secondary_metrics_json)),
  graduation_criteria_met       INTEGER DEFAULT 0 CHECK (graduation_criteria_met IN (0, 1)),
  graduation_notes              TEXT,
  metadata                      TEXT CHECK (metadata IS NULL OR json_valid(metadata))
) STRICT;

CREATE INDEX idx_bootstrap_capability_measured ON bootstrap_metrics (capability_name, measured_at DESC);
CREATE INDEX idx_bootstrap_measured ON bootstrap_metrics (measured_at DESC);
CREATE INDEX idx_bootstrap_mode ON bootstrap_metrics (capability_mode);
CREATE INDEX idx_bootstrap_graduation ON bootstrap_metrics (graduation_criteria_met);

-- One execution: an agent, a model call, a tool, a whole prompt.
CREATE TABLE execution_traces (
  correlation_id  TEXT NOT NULL PRIMARY KEY CHECK (length(correlation_id) = 36),
  root_id         TEXT NOT NULL CHECK (length(root_id) = 36),
  parent_id       TEXT CHECK (length(parent_id) = 36),
  session_id      TEXT NOT NULL,
  user_id         TEXT,
  environment     TEXT,
  release         TEXT,
  agent_iteration INTEGER CHECK (agent_iteration BETWEEN -2147483648 AND 2147483647),
  subtask_id      TEXT,
  source          TEXT NOT NULL,
  prompt_text     TEXT,
  -- OR instead of IN on this busy table: SQLite rebuilds an IN list for each row (3 microseconds, a tenth of the write)
  kind            TEXT CHECK (kind = 'agent' OR kind = 'generation' OR kind = 'tool' OR kind = 'span' OR kind = 'task'
                  OR kind = 'chain' OR kind = 'retriever' OR kind = 'evaluator' OR kind = 'guardrail'
                  OR kind = 'embedding'),
  name            TEXT NOT NULL,
  agent_role      TEXT,
  task_id         TEXT,
  started_at      TEXT NOT NULL CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at    TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????'),
  duration_ms     REAL CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  status          TEXT NOT NULL DEFAULT 'in_progress'
                  CHECK (status = 'success' OR status = 'error' OR status = 'in_progress' OR status = 'timeout'
                  OR status = 'cancelled' OR status = 'abandoned'),
  success         INTEGER CHECK (success IN (0, 1)),
  error_message   TEXT,
  error_type      TEXT,
  context         TEXT CHECK (context IS NULL OR json_valid(context)),
  tags            TEXT CHECK (tags IS NULL OR (json_valid(tags) AND json_type(tags) = 'array')),
  usage           TEXT CHECK (usage IS NULL OR json_valid(usage)),
  input           TEXT CHECK (input IS NULL OR json_valid(input)),
  output          TEXT CHECK (output IS NULL OR json_valid(output)),
  created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                  CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                  CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_trace_root ON execution_traces (root_id);
CREATE INDEX idx_trace_session ON execution_traces (session_id);
CREATE INDEX idx_trace_status ON execution_traces (status);
-- Answers questions about outcomes without the table; only the start is looked for.
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC, kind, agent_role, status, duration_ms, name, user_id,
  task_id);
CREATE INDEX idx_trace_task ON execution_traces (task_id);
CREATE INDEX idx_trace_success ON execution_traces (correlation_id, started_at DESC) WHERE success = 1;

-- The ledger of migrations; rows are written by the migration runner.
CREATE TABLE schema_migrations (
  version     INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  checksum    TEXT NOT NULL CHECK (length(checksum) = 64),
  applied_at  TEXT NOT NULL CHECK (applied_at GLOB '????-??-?? ??:??:??.??????'),
  duration_ms REAL NOT NULL CHECK (duration_ms >= 0)
) STRICT;

-- Who this database is, so that a journal never lands in another one; exactly one row.
CREATE TABLE database_identity (
  id         TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
  created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

-- How far each journal lane has been stored; moved in the transaction of the rows.
CREATE TABLE journal_checkpoints (
  journal_id   TEXT NOT NULL PRIMARY KEY,
  position     INTEGER NOT NULL CHECK (position >= 0),
  stored       INTEGER NOT NULL DEFAULT 0 CHECK (stored >= 0),
  rejected     INTEGER NOT NULL DEFAULT 0 CHECK (rejected >= 0),
  dropped      INTEGER NOT NULL DEFAULT 0 CHECK (dropped >= 0),
  drop_reasons TEXT CHECK (drop_reasons IS NULL OR json_valid(drop_reasons)),
  updated_at   TEXT NOT NULL CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

-- What the database refused, and why.
CREATE TABLE rejected_records (
  id          INTEGER PRIMARY KEY,
  journal_id  TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  record      TEXT NOT NULL CHECK (json_valid(record)),
  reason      TEXT NOT NULL,
  rejected_at TEXT NOT NULL CHECK (rejected_at GLOB '????-??-?? ??:??:??.??????'),
  UNIQUE (journal_id, sequence)
) STRICT;

-- What surrounds an execution: which agent was chosen and why, the hooks around it, the services it called; and the
-- archive of old traces.

-- Which agent was chosen for a request, and why.
CREATE TABLE agent_routing_decisions (
  id                    TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                        || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                        || hex(randomblob(6)))),
  correlation_id        TEXT NOT NULL CHECK (length(correlation_id) = 36),
  user_request          TEXT NOT NULL,
  selected_agent        TEXT,
  selection_reason      TEXT,
  confidence_total      REAL NOT NULL CHECK (confidence_total BETWEEN 0 AND 1),
  confidence_trigger    REAL CHECK (confidence_trigger BETWEEN 0 AND 1),
  confidence_context    REAL CHECK (confidence_context BETWEEN 0 AND 1),
  confidence_capability REAL CHECK (confidence_capability BETWEEN 0 AND 1),
  confidence_historical REAL CHECK (confidence_historical BETWEEN 0 AND 1),
  alternatives          TEXT CHECK (alternatives IS NULL OR json_valid(alternatives)),
  routing_strategy      TEXT,
  pattern_id            TEXT CHECK (length(pattern_id) = 36),
  cache_hit             INTEGER DEFAULT 0 CHECK (cache_hit IN (0, 1)),
  routing_duration_ms   REAL NOT NULL CHECK (routing_duration_ms >= 0 AND routing_duration_ms < 1e15),
  request_embedding     TEXT CHECK (request_embedding IS NULL
                        OR (json_valid(request_embedding)
                        AND json_type(request_embedding) = 'array')),
  created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (created_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_routing_correlation ON agent_routing_decisions (correlation_id);
CREATE INDEX idx_routing_agent ON agent_routing_decisions (selected_agent);
CREATE INDEX idx_routing_pattern ON agent_routing_decisions (pattern_id) WHERE pattern_id IS NOT NULL;
CREATE INDEX idx_routing_created ON agent_routing_decisions (created_at DESC);

-- One hook around a tool or a prompt.
CREATE TABLE hook_executions (
  id                              TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                                  DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                                  || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                                  || hex(randomblob(6)))),
  execution_id                    TEXT NOT NULL CHECK (length(execution_id) = 36),
  correlation_id                  TEXT NOT NULL CHECK (length(correlation_id) = 36),
  parent_id                       TEXT CHECK (length(parent_id) = 36),
  hook_type                       TEXT NOT NULL,
  tool_name                       TEXT,
  hook_script                     TEXT,
  started_at                      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                                  CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at                    TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????'),
  duration_ms                     REAL CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  status                          TEXT NOT NULL DEFAULT 'in_progress'
                                  CHECK (status IN ('in_progress', 'success', 'error', 'timeout', 'cancelled',
                                  'abandoned')),
  intelligence_functions_executed TEXT CHECK (intelligence_functions_executed IS NULL
                                  OR (json_valid(intelligence_functions_executed)
                                  AND json_type(intelligence_functions_executed) = 'array')),
  rag_queries_executed            TEXT CHECK (rag_queries_executed IS NULL OR json_valid(rag_queries_executed)),
  quality_gates_validated         TEXT CHECK (quality_gates_validated IS NULL
                                  OR (json_valid(quality_gates_validated)
                                  AND json_type(quality_gates_validated) = 'array')),
  success                         INTEGER CHECK (success IN (0, 1)),
  error_message                   TEXT,
  modifications_made              TEXT CHECK (modifications_made IS NULL OR json_valid(modifications_made)),
  context                         TEXT CHECK (context IS NULL OR json_valid(context)),
  created_at                      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                                  CHECK (created_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_hook_correlation ON hook_executions (correlation_id);
CREATE INDEX idx_hook_execution ON hook_executions (execution_id);
CREATE INDEX idx_hook_parent ON hook_executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX idx_hook_type_tool ON hook_executions (hook_type, tool_name);
CREATE INDEX idx_hook_started ON hook_executions (started_at DESC);

-- One HTTP call to a service.
CREATE TABLE endpoint_calls (
  id                TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                    DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                    || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                    || hex(randomblob(6)))),
  correlation_id    TEXT NOT NULL CHECK (length(correlation_id) = 36),
  hook_execution_id TEXT CHECK (length(hook_execution_id) = 36),
  service_name      TEXT NOT NULL,
  endpoint_path     TEXT NOT NULL,
  http_method       TEXT NOT NULL,
  request_body      TEXT CHECK (request_body IS NULL OR json_valid(request_body)),
  response_body     TEXT CHECK (response_body IS NULL OR json_valid(response_body)),
  headers           TEXT CHECK (headers IS NULL OR json_valid(headers)),
  response_status   INTEGER CHECK (response_status BETWEEN -2147483648 AND 2147483647),
  started_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                    CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at      TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????'),
  duration_ms       REAL CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  success           INTEGER NOT NULL CHECK (success IN (0, 1)),
  error_message     TEXT,
  error_type        TEXT,
  retry_count       INTEGER DEFAULT 0 CHECK (retry_count BETWEEN -2147483648 AND 2147483647),
  context           TEXT CHECK (context IS NULL OR json_valid(context)),
  created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                    CHECK (created_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_endpoint_correlation ON endpoint_calls (correlation_id);
CREATE INDEX idx_endpoint_hook ON endpoint_calls (hook_execution_id) WHERE hook_execution_id IS NOT NULL;
CREATE INDEX idx_endpoint_service_path ON endpoint_calls (service_name, endpoint_path);
CREATE INDEX idx_endpoint_started ON endpoint_calls (started_at DESC);

-- Traces past their retention, whole trees at a time; same columns as execution_traces.
CREATE TABLE execution_traces_archive (
  correlation_id  TEXT NOT NULL PRIMARY KEY CHECK (length(correlation_id) = 36),
  root_id         TEXT NOT NULL CHECK (length(root_id) = 36),
  parent_id       TEXT CHECK (length(parent_id) = 36),
  session_id      TEXT NOT NULL,
  user_id         TEXT,
  environment     TEXT,
  release         TEXT,
  agent_iteration INTEGER CHECK (agent_iteration BETWEEN -2147483648 AND 2147483647),
  subtask_id      TEXT,
  source          TEXT NOT NULL,
  prompt_text     TEXT,
  kind            TEXT CHECK (kind = 'agent' OR kind = 'generation' OR kind = 'tool' OR kind = 'span' OR kind = 'task'
                  OR kind = 'chain' OR kind = 'retriever' OR kind = 'evaluator' OR kind = 'guardrail'
                  OR kind = 'embedding'),
  name            TEXT NOT NULL,
  agent_role      TEXT,
  task_id         TEXT,
  started_at      TEXT NOT NULL CHECK (started_at GLOB '????-??-?? ??:??:??.??????'),
  completed_at    TEXT CHECK (completed_at GLOB '????-??-?? ??:??:??.??????'),
  duration_ms     REAL CHECK (duration_ms >= 0 AND duration_ms < 1e15),
  status          TEXT NOT NULL DEFAULT 'in_progress'
                  CHECK (status = 'success' OR status = 'error' OR status = 'in_progress' OR status = 'timeout'
                  OR status = 'cancelled' OR status = 'abandoned'),
  success         INTEGER CHECK (success IN (0, 1)),
  error_message   TEXT,
  error_type      TEXT,
  context         TEXT CHECK (context IS NULL OR json_valid(context)),
  tags            TEXT CHECK (tags IS NULL OR (json_valid(tags) AND json_type(tags) = 'array')),
  usage           TEXT CHECK (usage IS NULL OR json_valid(usage)),
  input           TEXT CHECK (input IS NULL OR json_valid(input)),
  output          TEXT CHECK (output IS NULL OR json_valid(output)),
  created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                  CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                  CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_trace_archive_root ON execution_traces_archive (root_id);
CREATE INDEX idx_trace_archive_started ON execution_traces_archive (started_at DESC);

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

-- What was learned: ways that worked, how they did when they were used again, who calls whom, and which errors recur.

-- A way through a request that worked, kept so that it can be offered again.
CREATE TABLE success_patterns (
  id                    TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                        DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                        || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                        || hex(randomblob(6)))),
  source_correlation_id TEXT NOT NULL CHECK (length(source_correlation_id) = 36),
  prompt_text           TEXT,
  prompt_embedding      TEXT CHECK (prompt_embedding IS NULL
                        OR (json_valid(prompt_embedding)
                        AND json_type(prompt_embedding) = 'array')),
  intent                TEXT NOT NULL,
  keywords              TEXT NOT NULL CHECK (json_valid(keywords) AND json_type(keywords) = 'array'),
  agent                 TEXT NOT NULL,
  routing_strategy      TEXT NOT NULL,
  hook_sequence         TEXT NOT NULL CHECK (json_valid(hook_sequence)),
  endpoint_pattern      TEXT NOT NULL CHECK (json_valid(endpoint_pattern)),
  avg_duration_ms       REAL CHECK (avg_duration_ms >= 0 AND avg_duration_ms < 1e15),
  min_duration_ms       REAL CHECK (min_duration_ms >= 0 AND min_duration_ms < 1e15),
  max_duration_ms       REAL CHECK (max_duration_ms >= 0 AND max_duration_ms < 1e15),
  avg_hook_count        REAL CHECK (avg_hook_count >= 0 AND avg_hook_count < 1e6),
  avg_endpoint_count    REAL CHECK (avg_endpoint_count >= 0 AND avg_endpoint_count < 1e6),
  avg_rag_query_count   REAL CHECK (avg_rag_query_count >= 0 AND avg_rag_query_count < 1e6),
  success_score         REAL CHECK (success_score BETWEEN 0 AND 1),
  total_usage_count     INTEGER NOT NULL DEFAULT 0 CHECK (total_usage_count BETWEEN 0 AND 2147483647),
  success_count         INTEGER NOT NULL DEFAULT 0 CHECK (success_count BETWEEN 0 AND 2147483647),
  failure_count         INTEGER NOT NULL DEFAULT 0 CHECK (failure_count BETWEEN 0 AND 2147483647),
  success_rate          REAL GENERATED ALWAYS AS (CASE WHEN total_usage_count > 0
                        THEN round(success_count * 1.0 / total_usage_count, 4) ELSE 1.0 END) VIRTUAL,
  context               TEXT CHECK (context IS NULL OR json_valid(context)),
  tags                  TEXT CHECK (tags IS NULL OR (json_valid(tags) AND json_type(tags) = 'array')),
  created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  last_used_at          TEXT CHECK (last_used_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                        CHECK (updated_at GLOB '????-??-?? ??:??:??.??????'),
  CHECK (success_count + failure_count <= total_usage_count)
) STRICT;

CREATE INDEX idx_pattern_intent ON success_patterns (intent);
CREATE INDEX idx_pattern_agent ON success_patterns (agent);
CREATE INDEX idx_pattern_success_rate ON success_patterns (success_rate DESC);
CREATE INDEX idx_pattern_last_used ON success_patterns (last_used_at DESC);

-- Each time that a pattern was offered, whether it was used, and how that went.
CREATE TABLE pattern_usage_log (
  id                   TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                       DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                       || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                       || hex(randomblob(6)))),
  pattern_id           TEXT NOT NULL CHECK (length(pattern_id) = 36),
  correlation_id       TEXT NOT NULL CHECK (length(correlation_id) = 36),
  user_request         TEXT NOT NULL,
  match_score          REAL NOT NULL CHECK (match_score BETWEEN 0 AND 1),
  used                 INTEGER NOT NULL CHECK (used IN (0, 1)),
  outcome              TEXT CHECK (length(outcome) <= 20),
  success              INTEGER CHECK (success IN (0, 1)),
  deviations           TEXT CHECK (deviations IS NULL OR json_valid(deviations)),
  expected_duration_ms REAL CHECK (expected_duration_ms >= 0 AND expected_duration_ms < 1e15),
  actual_duration_ms   REAL CHECK (actual_duration_ms >= 0 AND actual_duration_ms < 1e15),
  performance_variance REAL CHECK (performance_variance > -1e10 AND performance_variance < 1e10),
  user_feedback        TEXT,
  used_at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                       CHECK (used_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_usage_pattern ON pattern_usage_log (pattern_id);
CREATE INDEX idx_usage_correlation ON pattern_usage_log (correlation_id);
CREATE INDEX idx_usage_outcome ON pattern_usage_log (outcome);
CREATE INDEX idx_usage_used ON pattern_usage_log (used_at DESC);

-- Which agents an agent calls, found from the trace trees.
CREATE TABLE agent_chaining_patterns (
  id                           TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                               DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                               || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                               || hex(randomblob(6)))),
  primary_agent                TEXT NOT NULL,
  delegated_agents             TEXT NOT NULL CHECK (json_valid(delegated_agents)
                               AND json_type(delegated_agents) = 'array'),
  delegation_depth             INTEGER NOT NULL CHECK (delegation_depth BETWEEN 0 AND 2147483647),
  trigger_context              TEXT NOT NULL,
  success_rate                 REAL NOT NULL DEFAULT 1 CHECK (success_rate BETWEEN 0 AND 1),
  usage_count                  INTEGER NOT NULL DEFAULT 0 CHECK (usage_count BETWEEN 0 AND 2147483647),
  avg_total_duration_ms        REAL CHECK (avg_total_duration_ms >= 0 AND avg_total_duration_ms < 1e15),
  avg_coordination_overhead_ms REAL CHECK (avg_coordination_overhead_ms >= 0 AND avg_coordination_overhead_ms < 1e15),
  source_traces                TEXT NOT NULL CHECK (json_valid(source_traces) AND json_type(source_traces) = 'array'),
  tags                         TEXT CHECK (tags IS NULL OR (json_valid(tags) AND json_type(tags) = 'array')),
  created_at                   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                               CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  last_used_at                 TEXT CHECK (last_used_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at                   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                               CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

CREATE INDEX idx_chaining_agent ON agent_chaining_patterns (primary_agent);
CREATE INDEX idx_chaining_success_rate ON agent_chaining_patterns (success_rate DESC);
CREATE INDEX idx_chaining_usage ON agent_chaining_patterns (usage_count DESC);

-- An error that recurs; found by the writer.
CREATE TABLE error_patterns (
  id                     TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36)
                         DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                         || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-'
                         || hex(randomblob(6)))),
  error_type             TEXT NOT NULL,
  error_message_pattern  TEXT NOT NULL,
  agent                  TEXT,
  hook_type              TEXT,
  endpoint_path          TEXT,
  occurrence_count       INTEGER NOT NULL DEFAULT 1 CHECK (occurrence_count BETWEEN 0 AND 2147483647),
  first_seen_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                         CHECK (first_seen_at GLOB '????-??-?? ??:??:??.??????'),
  last_seen_at           TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                         CHECK (last_seen_at GLOB '????-??-?? ??:??:??.??????'),
  sample_correlation_ids TEXT NOT NULL CHECK (json_valid(sample_correlation_ids)
                         AND json_type(sample_correlation_ids) = 'array'),
  known_fix              TEXT CHECK (known_fix IS NULL OR json_valid(known_fix)),
  prevention_strategy    TEXT CHECK (prevention_strategy IS NULL OR json_valid(prevention_strategy)),
  tags                   TEXT CHECK (tags IS NULL OR (json_valid(tags) AND json_type(tags) = 'array')),
  severity               TEXT CHECK (severity IN ('critical', 'high', 'medium', 'low')),
  created_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                         CHECK (created_at GLOB '????-??-?? ??:??:??.??????'),
  updated_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
                         CHECK (updated_at GLOB '????-??-?? ??:??:??.??????')
) STRICT;

-- What makes two errors the same; NULL would differ from NULL.
CREATE UNIQUE INDEX idx_error_same ON error_patterns
  (error_type, error_message_pattern, ifnull(agent, ''), ifnull(hook_type, ''), ifnull(endpoint_path, ''));
CREATE INDEX idx_error_agent ON error_patterns (agent) WHERE agent IS NOT NULL;
CREATE INDEX idx_error_endpoint ON error_patterns (endpoint_path) WHERE endpoint_path IS NOT NULL;
CREATE INDEX idx_error_occurrences ON error_patterns (occurrence_count DESC);
CREATE INDEX idx_error_severity ON error_patterns (severity);

-- The views that people and dashboards read. Percentiles are values that occurred: the smallest below which lie 95 %
-- of all; SQLite has no such function, so the rows are ranked first.

-- What each role cost per day. Cost is NULL, not 0, where no price was known.
CREATE VIEW daily_cost_summary AS
SELECT
  execution_date AS day, agent_role, project_id,
  count(DISTINCT correlation_id) AS executions,
  sum(metric_value) FILTER (WHERE metric_type = 'API_Cost') AS api_cost_usd,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In') AS tokens_in,
  sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out') AS tokens_out,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms
FROM agent_cost_vector
GROUP BY execution_date, agent_role, project_id;

-- The day stands beside the hour because it is what the index is on.
CREATE VIEW hourly_agent_performance AS
SELECT
  day, hour, agent_role,
  count(DISTINCT task_id) AS tasks,
  avg(metric_value) FILTER (WHERE metric_type = 'Latency') AS average_latency_ms,
  min(metric_value) FILTER (WHERE metric_type = 'Latency' AND place >= 0.95) AS p95_latency_ms,
  sum(metric_value) FILTER (WHERE metric_type = 'Retries') AS retries
FROM (
  SELECT
    execution_date AS day, substr(timestamp, 1, 13) || ':00:00.000000' AS hour, agent_role, task_id, metric_type,
    metric_value,
    cume_dist() OVER (PARTITION BY execution_date, substr(timestamp, 1, 13), agent_role, metric_type
      ORDER BY metric_value) AS place
  FROM agent_cost_vector
)
GROUP BY day, hour, agent_role;

CREATE VIEW probe_training_data AS
SELECT
  task_id, project_id, task_type, bootstrap_phase, completed_at, semantic_units_json,
  estimated_complexity, actual_complexity,
  -- anything that is no number is left out instead of failing the whole view
  CASE WHEN json_type(estimated_cost_vector_json, '$.latency_ms') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.latency_ms') END AS estimated_latency_ms,
  CASE WHEN json_type(estimated_cost_vector_json, '$.tokens') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.tokens') END AS estimated_tokens,
  CASE WHEN json_type(estimated_cost_vector_json, '$.api_cost_usd') IN ('integer', 'real')
    THEN json_extract(estimated_cost_vector_json, '$.api_cost_usd') END AS estimated_api_cost_usd,
  CASE WHEN json_type(actual_cost_vector_json, '$.latency_ms') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.latency_ms') END AS actual_latency_ms,
  CASE WHEN json_type(actual_cost_vector_json, '$.tokens') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.tokens') END AS actual_tokens,
  CASE WHEN json_type(actual_cost_vector_json, '$.api_cost_usd') IN ('integer', 'real')
    THEN json_extract(actual_cost_vector_json, '$.api_cost_usd') END AS actual_api_cost_usd,
  defect_count, defect_density
FROM task_metadata
WHERE status = 'completed' AND estimated_complexity IS NOT NULL AND actual_cost_vector_json IS NOT NULL;

CREATE VIEW review_agent_effectiveness AS
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

CREATE VIEW defect_density_by_component AS
WITH touched AS (
  SELECT part.value AS component_path, task.task_id
  FROM task_metadata AS task, json_each(task.components_affected) AS part
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

CREATE VIEW bootstrap_status AS
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

-- One row per trace, at its root, or where the root lies elsewhere at its earliest execution here.
CREATE VIEW trace_summary AS
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

CREATE VIEW agent_performance AS
WITH runs AS (
  SELECT
    agent_role,
    count(*) FILTER (WHERE status <> 'in_progress') AS executions,
    count(*) FILTER (WHERE status = 'in_progress') AS in_progress,
    count(*) FILTER (WHERE status = 'success') AS successes,
    avg(duration_ms) AS average_duration_ms,
    min(duration_ms) FILTER (WHERE place >= 0.5) AS median_duration_ms,
    min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms
  FROM (
    SELECT agent_role, status, duration_ms,
      cume_dist() OVER (PARTITION BY agent_role, duration_ms IS NULL ORDER BY duration_ms) AS place
    FROM execution_traces
    WHERE kind = 'agent'
  )
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

CREATE VIEW hook_performance_summary AS
SELECT
  hook_type, tool_name,
  count(*) FILTER (WHERE status <> 'in_progress') AS executions,
  1.0 * count(*) FILTER (WHERE success) / nullif(count(*) FILTER (WHERE status <> 'in_progress'), 0) AS success_rate,
  avg(duration_ms) AS average_duration_ms,
  min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms,
  max(started_at) AS last_started_at
FROM (
  SELECT hook_type, tool_name, status, success, duration_ms, started_at,
    cume_dist() OVER (PARTITION BY hook_type, tool_name, duration_ms IS NULL ORDER BY duration_ms) AS place
  FROM hook_executions
)
GROUP BY hook_type, tool_name;

CREATE VIEW endpoint_reliability AS
SELECT
  service_name, endpoint_path, http_method,
  count(*) AS calls,
  1.0 * count(*) FILTER (WHERE success) / count(*) AS success_rate,
  count(*) FILTER (WHERE error_type = 'timeout') AS timeouts,
  sum(retry_count) AS retries,
  avg(duration_ms) AS average_duration_ms,
  min(duration_ms) FILTER (WHERE place >= 0.95) AS p95_duration_ms,
  max(started_at) FILTER (WHERE NOT success) AS last_failure_at
FROM (
  SELECT service_name, endpoint_path, http_method, success, error_type, retry_count, duration_ms, started_at,
    cume_dist() OVER (PARTITION BY service_name, endpoint_path, http_method, duration_ms IS NULL
      ORDER BY duration_ms) AS place
  FROM endpoint_calls
)
GROUP BY service_name, endpoint_path, http_method;

CREATE VIEW error_analysis AS
SELECT
  error_type, agent_role, name,
  count(*) AS occurrences,
  count(DISTINCT root_id) AS traces,
  min(started_at) AS first_seen_at,
  max(started_at) AS last_seen_at
FROM execution_traces
WHERE status IN ('error', 'timeout')
GROUP BY error_type, agent_role, name;

CREATE VIEW pattern_effectiveness AS
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

CREATE VIEW dashboard_summary AS
SELECT
  (SELECT count(*) FROM task_metadata WHERE status = 'in_progress') AS tasks_in_progress,
  (SELECT count(*) FROM task_metadata WHERE status = 'failed') AS tasks_failed,
  (SELECT count(*) FROM execution_traces WHERE status = 'in_progress') AS executions_in_progress,
  (SELECT count(*) FROM execution_traces WHERE started_at >= datetime('now', '-24 hours')) AS executions_24h,
  (SELECT count(*) FROM execution_traces
   WHERE started_at >= datetime('now', '-24 hours') AND status IN ('error', 'timeout', 'abandoned')) AS failures_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-24 hours') AND metric_type = 'API_Cost') AS api_cost_usd_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-24 hours') AND metric_type IN ('Tokens_In', 'Tokens_Out')) AS tokens_24h,
  (SELECT sum(metric_value) FROM agent_cost_vector
   WHERE timestamp >= datetime('now', '-30 days') AND metric_type = 'API_Cost') AS api_cost_usd_30d,
  (SELECT count(*) FROM defect_log WHERE resolved_at IS NULL AND NOT coalesce(false_positive, false)) AS open_defects,
  (SELECT count(*) FROM bootstrap_status) AS capabilities,
  (SELECT count(*) FROM bootstrap_status WHERE on_target) AS capabilities_on_target;
