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
CREATE INDEX idx_cost_metric ON agent_cost_vector (metric_type);
CREATE INDEX idx_cost_execution_date ON agent_cost_vector (execution_date DESC);
CREATE INDEX idx_cost_correlation ON agent_cost_vector (correlation_id);

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
CREATE INDEX idx_trace_started ON execution_traces (started_at DESC);
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
