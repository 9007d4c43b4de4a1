-- Takes the spine away again, with every row in it. The roles stay: other databases of the server may use them.
DROP TABLE rejected_records;
DROP TABLE journal_checkpoints;
DROP TABLE database_identity;
DROP TABLE schema_migrations;
DROP TABLE execution_traces;
DROP TABLE bootstrap_metrics;
DROP TABLE defect_log;
DROP TABLE agent_cost_vector;
DROP TABLE task_metadata;
DROP FUNCTION asp_measure();
DROP FUNCTION asp_touch();
DROP FUNCTION asp_user_id();
