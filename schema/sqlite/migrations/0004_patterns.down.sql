-- Takes all that was learned away again.
DROP TABLE error_patterns;
DROP TABLE agent_chaining_patterns;
DROP TABLE pattern_usage_log;
DROP TABLE success_patterns;
