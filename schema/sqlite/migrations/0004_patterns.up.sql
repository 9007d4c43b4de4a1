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
