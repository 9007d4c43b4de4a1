-- Takes all that was learned away again.
-- optional/foreign_keys.sql lets a table of an earlier migration refer to one of these.
ALTER TABLE agent_routing_decisions DROP CONSTRAINT IF EXISTS fk_routing_pattern;
DROP FUNCTION asp_prune(interval, interval, interval);
DROP FUNCTION asp_record_error(text, text, uuid, text, text, text, text, timestamptz);
DROP FUNCTION asp_record_outcome(uuid, text, numeric, text);
DROP FUNCTION asp_match_patterns(real[], double precision, integer);
DROP TABLE error_patterns;
DROP TABLE agent_chaining_patterns;
DROP TABLE pattern_usage_log;
DROP FUNCTION asp_count_usage();
DROP TABLE success_patterns;
