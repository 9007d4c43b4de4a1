-- A small worked example: one task through its phases, what each agent cost, two defects, two capabilities.
-- Pastes into sqlite3 as often as you like; rows that are there already stay as they are.
--   sqlite3 data/asp_telemetry.db < schema/sqlite/sample_data.sql

INSERT INTO task_metadata (
  task_id, created_at, started_at, completed_at, project_id, task_type, task_description, requirements_text,
  semantic_units_json, estimated_complexity, actual_complexity, estimated_cost_vector_json, actual_cost_vector_json,
  defect_count, defect_density, components_affected, bootstrap_phase, human_reviewed, status, user_id, updated_at
) VALUES (
  'TASK-001', '2026-01-15 09:00:00.000000', '2026-01-15 09:00:00.000000', '2026-01-15 09:01:12.500000',
  'ASP-Platform', 'authentication', 'Let users sign in with signed tokens', 'A session ends after 30 minutes.',
  '[{"unit": "SU-001", "description": "issue and check tokens", "complexity": 8}, {"unit": "SU-002", "description": "keep sessions", "complexity": 10}]',
  18, 20,
  '{"latency_ms": 60000, "tokens": 30000, "api_cost_usd": 0.15}',
  '{"latency_ms": 71700, "tokens": 34010, "api_cost_usd": 0.17265}',
  2, 0.1, '["src/auth/login.py", "src/auth/tokens.py"]', 'Learning', 1, 'completed', 'ana', '2026-01-15 09:01:12.500000'
) ON CONFLICT (task_id) DO NOTHING;

INSERT INTO execution_traces (
  correlation_id, root_id, parent_id, session_id, user_id, environment, release, agent_iteration, source, kind, name,
  agent_role, task_id, started_at, completed_at, duration_ms, status, success, tags, usage, created_at, updated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000001', NULL,
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', NULL, 'user_prompt', 'task', 'TASK-001',
   NULL, 'TASK-001', '2026-01-15 09:00:00.000000', '2026-01-15 09:01:12.500000', 72500.0, 'success', 1, '["sample"]',
   NULL, '2026-01-15 09:01:12.500000', '2026-01-15 09:01:12.500000'),
  ('019bc0de-0000-7000-8000-000000000002', '019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'plan',
   'Planning', 'TASK-001', '2026-01-15 09:00:00.100000', '2026-01-15 09:00:12.600000', 12500.0, 'success', 1, '["sample"]',
   '{"model": "claude-sonnet-4", "provider": "anthropic", "input_tokens": 4200, "output_tokens": 1310, "cost": "0.03225", "source": "computed"}',
   '2026-01-15 09:00:12.600000', '2026-01-15 09:00:12.600000'),
  ('019bc0de-0000-7000-8000-000000000003', '019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'write_code',
   'Code', 'TASK-001', '2026-01-15 09:00:13.000000', '2026-01-15 09:00:54.000000', 41000.0, 'success', 1, '["sample"]',
   '{"model": "claude-sonnet-4", "provider": "anthropic", "input_tokens": 14000, "output_tokens": 5200, "cost": "0.12", "source": "computed"}',
   '2026-01-15 09:00:54.000000', '2026-01-15 09:00:54.000000'),
  ('019bc0de-0000-7000-8000-000000000004', '019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000003',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'tool', 'run_tests',
   'Code', 'TASK-001', '2026-01-15 09:00:40.000000', '2026-01-15 09:00:47.000000', 7000.0, 'error', 0, '["sample"]',
   NULL, '2026-01-15 09:00:47.000000', '2026-01-15 09:00:47.000000'),
  ('019bc0de-0000-7000-8000-000000000005', '019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'review_code',
   'CodeReview', 'TASK-001', '2026-01-15 09:00:54.200000', '2026-01-15 09:01:12.400000', 18200.0, 'success', 1, '["sample"]',
   '{"model": "gpt-4o", "provider": "openai", "input_tokens": 5700, "output_tokens": 3600, "cost": "0.0204", "source": "provider"}',
   '2026-01-15 09:01:12.400000', '2026-01-15 09:01:12.400000')
ON CONFLICT (correlation_id) DO NOTHING;

-- Metric rows have no natural key: they are added only while the sample's executions have none.
INSERT INTO agent_cost_vector (
  timestamp, task_id, project_id, user_id, correlation_id, agent_role, agent_version, agent_iteration,
  metric_type, metric_value, metric_unit, llm_model, llm_provider
)
SELECT trace.completed_at, 'TASK-001', 'ASP-Platform', 'ana', trace.correlation_id, trace.agent_role, '1.0.0', 1,
       metric.column2, metric.column3, metric.column4, metric.column5, metric.column6
FROM execution_traces AS trace
JOIN (VALUES
  ('019bc0de-0000-7000-8000-000000000002', 'Latency', 12500.0, 'ms', NULL, NULL),
  ('019bc0de-0000-7000-8000-000000000002', 'Tokens_In', 4200, 'tokens', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000002', 'Tokens_Out', 1310, 'tokens', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000002', 'API_Cost', 0.03225, 'USD', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000003', 'Latency', 41000.0, 'ms', NULL, NULL),
  ('019bc0de-0000-7000-8000-000000000003', 'Tokens_In', 14000, 'tokens', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000003', 'Tokens_Out', 5200, 'tokens', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000003', 'API_Cost', 0.12, 'USD', 'claude-sonnet-4', 'anthropic'),
  ('019bc0de-0000-7000-8000-000000000003', 'Retries', 1, 'count', NULL, NULL),
  ('019bc0de-0000-7000-8000-000000000004', 'Tool_Calls', 1, 'count', NULL, NULL),
  ('019bc0de-0000-7000-8000-000000000005', 'Latency', 18200.0, 'ms', NULL, NULL),
  ('019bc0de-0000-7000-8000-000000000005', 'Tokens_In', 5700, 'tokens', 'gpt-4o', 'openai'),
  ('019bc0de-0000-7000-8000-000000000005', 'Tokens_Out', 3600, 'tokens', 'gpt-4o', 'openai'),
  ('019bc0de-0000-7000-8000-000000000005', 'API_Cost', 0.0204, 'USD', 'gpt-4o', 'openai')
) AS metric ON metric.column1 = trace.correlation_id
WHERE NOT EXISTS (
  SELECT 1 FROM agent_cost_vector
  WHERE correlation_id BETWEEN '019bc0de-0000-7000-8000-000000000001' AND '019bc0de-0000-7000-8000-000000000005'
);

INSERT INTO defect_log (
  defect_id, created_at, resolved_at, task_id, project_id, user_id, correlation_id, defect_type, severity,
  phase_injected, phase_removed, component_path, function_name, line_number, effort_to_fix_json, description,
  root_cause, resolution_notes, flagged_by_agent, validated_by_human, false_positive
) VALUES
  ('D-001', '2026-01-15 09:01:05.000000', '2026-01-15 09:01:10.000000', 'TASK-001', 'ASP-Platform', 'ana',
   '019bc0de-0000-7000-8000-000000000005', '5_Security_Vulnerability', 'High', 'Code', 'CodeReview',
   'src/auth/tokens.py', 'check_token', 42, '{"latency_ms": 2900, "tokens": 1800, "api_cost_usd": 0.011, "retries": 1}',
   'Tokens are accepted without a check of their expiry', 'The requirement was read as optional',
   'Expiry is checked before the signature', 1, 1, 0),
  ('D-002', '2026-01-15 09:01:12.500000', NULL, 'TASK-001', 'ASP-Platform', 'ana',
   NULL, '6_Conventional_Code_Bug', 'Low', 'Design', 'Test',
   'src/auth/login.py', 'login', 17, NULL,
   'A name with capital letters cannot sign in', NULL, NULL, 0, 1, 0)
ON CONFLICT (defect_id) DO NOTHING;

INSERT INTO bootstrap_metrics (
  measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode, tasks_completed,
  tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction,
  secondary_metrics_json, graduation_criteria_met, graduation_notes
)
SELECT '2026-01-15 10:00:00.000000', '2026-01-01 00:00:00.000000', '2026-01-15 00:00:00.000000', column1, column2,
       column3, column4, column5, column6, column7, column8, column9, column10, column11
FROM (VALUES
  ('PROBE_AI', 'Shadow', 15, 20, 'MAPE', 18.2, 20.0, 'lower_is_better', '{"r_squared": 0.81}', 0,
   'On track: five more tasks are needed'),
  ('ReviewAgent_Code', 'Learning', 12, 20, 'True_Positive_Rate', 76.5, 80.0, 'higher_is_better',
   '{"false_positive_rate": 14.0, "escape_rate": 6.2}', 0, 'Finds too little still')
)
WHERE NOT EXISTS (SELECT 1 FROM bootstrap_metrics WHERE measured_at = '2026-01-15 10:00:00.000000');
