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
