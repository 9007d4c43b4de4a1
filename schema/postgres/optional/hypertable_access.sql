-- Optional, before timescaledb.sql: moves who may see what from row security into views, on the two tables that become
-- hypertables. TimescaleDB refuses compression and continuous aggregates on tables with row security.
-- Afterwards the role authenticated reads costs through own_agent_cost_vector. bootstrap_metrics names no user, so that
-- every authenticated user may go on reading it. There is no way back but a copy into a new database: `migrate down`
-- stops at the first view.

BEGIN;

DROP POLICY service ON agent_cost_vector;
DROP POLICY own ON agent_cost_vector;
ALTER TABLE agent_cost_vector DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON agent_cost_vector FROM authenticated;

DROP POLICY service ON bootstrap_metrics;
DROP POLICY everyone ON bootstrap_metrics;
ALTER TABLE bootstrap_metrics DISABLE ROW LEVEL SECURITY;

-- It looks with its owner's eyes, therefore it filters itself; the barrier keeps a user's own functions from seeing
-- rows before they are filtered out.
CREATE VIEW own_agent_cost_vector WITH (security_barrier = true) AS
SELECT * FROM agent_cost_vector
WHERE user_id IS NULL OR user_id = (SELECT asp_user_id())
  OR (SELECT pg_has_role(current_user, 'service_role', 'USAGE')
    OR pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'agent_cost_vector'::regclass);
COMMENT ON VIEW own_agent_cost_vector IS 'What of agent_cost_vector the reader may see.';
REVOKE ALL ON own_agent_cost_vector FROM PUBLIC, anon, authenticated;
GRANT SELECT ON own_agent_cost_vector TO service_role, authenticated;

-- The views that authenticated users read look through it from now on; they keep their columns and grants.
DO $$
DECLARE
  reader text;
BEGIN
  FOREACH reader IN ARRAY ARRAY['trace_summary', 'agent_performance', 'dashboard_summary'] LOOP
    EXECUTE format('CREATE OR REPLACE VIEW %I WITH (security_invoker = true) AS %s', reader,
      regexp_replace(pg_get_viewdef(reader::regclass), '\magent_cost_vector\M', 'own_agent_cost_vector', 'g'));
  END LOOP;
  EXECUTE regexp_replace(pg_get_functiondef('asp_trace_tree(uuid)'::regprocedure), '\magent_cost_vector\M',
    'own_agent_cost_vector', 'g');
END
$$;

COMMIT;
