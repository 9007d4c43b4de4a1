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
