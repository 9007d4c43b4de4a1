-- Makes the role grafana_reader, which reads what the dashboards ask and can write nothing. Paste it as often as you like,
-- into the database and schema of asp-telemetry, as somebody who may make roles with BYPASSRLS (a superuser; on Supabase
-- `postgres`): Grafana's users see the rows of all users, whoever they are. Then give it a password, in psql:
--   \password grafana_reader
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana_reader') THEN
    CREATE ROLE grafana_reader LOGIN BYPASSRLS CONNECTION LIMIT 20;
  END IF;
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO grafana_reader', current_schema());
  EXECUTE format('ALTER ROLE grafana_reader IN DATABASE %I SET search_path = %I', current_database(), current_schema());
END
$$;
ALTER ROLE grafana_reader SET default_transaction_read_only = on;
ALTER ROLE grafana_reader SET statement_timeout = '30s';
GRANT SELECT ON task_metadata, agent_cost_vector, defect_log, bootstrap_metrics, bootstrap_status, execution_traces,
  hook_executions, endpoint_calls, router_performance_metrics, success_patterns, pattern_usage_log TO grafana_reader;
