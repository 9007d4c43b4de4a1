-- A small worked example: one task through its phases, what each agent cost, two defects, two capabilities; how it was
-- routed, what ran around it, and what was learned from it.
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
  agent_role, task_id, started_at, completed_at, duration_ms, status, success, error_message, error_type, tags, usage,
  created_at,
  updated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000001', '019bc0de-0000-7000-8000-000000000001', NULL,
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', NULL, 'user_prompt', 'task', 'TASK-001',
   NULL, 'TASK-001', '2026-01-15 09:00:00.000000', '2026-01-15 09:01:12.500000', 72500.0, 'success', 1, NULL, NULL,
   '["sample"]',
   NULL, '2026-01-15 09:01:12.500000', '2026-01-15 09:01:12.500000'),
  ('019bc0de-0000-7000-8000-000000000002', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'plan',
   'Planning', 'TASK-001', '2026-01-15 09:00:00.100000', '2026-01-15 09:00:12.600000', 12500.0, 'success', 1, NULL,
   NULL,
   '["sample"]',
   '{"model": "claude-sonnet-4", "provider": "anthropic", "input_tokens": 4200, "output_tokens": 1310, "cost": "0.03225", "source": "computed"}',
   '2026-01-15 09:00:12.600000', '2026-01-15 09:00:12.600000'),
  ('019bc0de-0000-7000-8000-000000000003', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'write_code',
   'Code', 'TASK-001', '2026-01-15 09:00:13.000000', '2026-01-15 09:00:54.000000', 41000.0, 'success', 1, NULL, NULL,
   '["sample"]',
   '{"model": "claude-sonnet-4", "provider": "anthropic", "input_tokens": 14000, "output_tokens": 5200, "cost": "0.12", "source": "computed"}',
   '2026-01-15 09:00:54.000000', '2026-01-15 09:00:54.000000'),
  ('019bc0de-0000-7000-8000-000000000004', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000003',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'tool', 'run_tests',
   'Code', 'TASK-001', '2026-01-15 09:00:40.000000', '2026-01-15 09:00:47.000000', 7000.0, 'error', 0,
   'test_expired_token failed: 401 is not 200', 'AssertionError', '["sample"]',
   NULL, '2026-01-15 09:00:47.000000', '2026-01-15 09:00:47.000000'),
  ('019bc0de-0000-7000-8000-000000000005', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'ana', 'sample', '0.1.0', 1, 'agent_delegation', 'agent', 'review_code',
   'CodeReview', 'TASK-001', '2026-01-15 09:00:54.200000', '2026-01-15 09:01:12.400000', 18200.0, 'success', 1, NULL,
   NULL,
   '["sample"]',
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
   'Worked example, not the sample''s team: five more tasks are needed'),
  ('ReviewAgent_Code', 'Learning', 12, 20, 'True_Positive_Rate', 76.5, 80.0, 'higher_is_better',
   '{"false_positive_rate": 14.0, "escape_rate": 6.2}', 0, 'Worked example, not the sample''s team: finds too little still')
) AS measured
WHERE NOT EXISTS (SELECT 1 FROM bootstrap_metrics WHERE measured_at = '2026-01-15 10:00:00.000000');

INSERT INTO agent_definitions (
  id, agent_name, agent_version, agent_type, yaml_config, parsed_metadata, capabilities, domain, triggers,
  trigger_patterns, avg_execution_time_ms, success_rate, quality_score, is_active, status, registry_path,
  definition_hash, created_at, updated_at, last_loaded_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000101', 'coordinator', '1.0.0', 'coordinator',
   '{"name": "coordinator", "role": "Planning"}', NULL,
   '["planning", "delegation"]', 'general', '["plan", "split"]', NULL, 12500, 1.0, 0.9, 1, 'active',
   'agents/coordinator.yaml', '3f1d5d0c6f0bb0c3b1f4a8c2d1e9b7a65c4f3e2d1b0a99887766554433221100',
   '2026-01-10 08:00:00.000000', '2026-01-10 08:00:00.000000', '2026-01-15 08:59:00.000000'),
  ('019bc0de-0000-7000-8000-000000000102', 'coder', '1.0.0', 'specialist', '{"name": "coder", "role": "Code"}', NULL,
   '["python", "testing"]', 'development', '["implement", "fix"]', '["fix(ed)? .* bug"]', 41000, 0.92, 0.85, 1,
   'active', 'agents/coder.yaml', NULL, '2026-01-10 08:00:00.000000', '2026-01-10 08:00:00.000000',
   '2026-01-15 08:59:00.000000')
ON CONFLICT (agent_name, agent_version) DO NOTHING;

INSERT INTO agent_routing_decisions (
  id, correlation_id, user_request, selected_agent, selection_reason, confidence_total, confidence_trigger,
  confidence_context, confidence_capability, confidence_historical, alternatives, routing_strategy, cache_hit,
  routing_duration_ms, created_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000111', '019bc0de-0000-7000-8000-000000000001',
   'let users sign in with signed tokens', 'coder', 'its trigger "implement" fits', 0.91, 0.95,
   0.9, 0.92, 0.8, '[{"agent": "coordinator", "confidence": 0.55, "reason": "can delegate it"}]', 'fuzzy_match', 0,
   42.5, '2026-01-15 09:00:00.050000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO agent_transformation_events (
  id, event_type, correlation_id, session_id, source_agent, target_agent, transformation_reason, context_keys,
  context_size_bytes, routing_confidence, routing_strategy, transformation_duration_ms, initialization_duration_ms,
  total_execution_duration_ms, success, quality_score, agent_definition_id, started_at, completed_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000121', 'transformation_complete', '019bc0de-0000-7000-8000-000000000001',
   '019bc0de-0000-7000-8000-000000000001', 'coordinator', 'coder', 'the plan is made',
   '["plan", "semantic_units"]', 2048, 0.91, 'fuzzy_match', 85.0, 120.5, 41000.0, 1, 0.93,
   '019bc0de-0000-7000-8000-000000000102',
   '2026-01-15 09:00:12.800000', '2026-01-15 09:00:54.000000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO router_performance_metrics (
  id, metric_type, correlation_id, selected_agent, selection_strategy, confidence_score, alternatives_count,
  cache_lookup_us, trigger_matching_us, confidence_scoring_us, total_routing_time_us, trigger_confidence,
  context_confidence, capability_confidence, historical_confidence, cache_hit, selection_validated, actual_success,
  actual_quality_score, prediction_error, feedback_provided, measured_at, validated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000131', 'routing_decision', '019bc0de-0000-7000-8000-000000000001', 'coder',
   'fuzzy_match', 0.914, 1, 900, 18200, 22600, 42500, 0.95, 0.9,
   0.92, 0.8, 0, 1, 1, 0.93, -0.016, 0, '2026-01-15 09:00:00.050000', '2026-01-15 09:01:12.500000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO hook_executions (
  id, execution_id, correlation_id, parent_id, hook_type, tool_name, hook_script, started_at, completed_at, duration_ms,
  status, intelligence_functions_executed, quality_gates_validated, success, error_message, created_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000141', '019bc0de-0000-7000-8000-000000000151',
   '019bc0de-0000-7000-8000-000000000004', NULL, 'PreToolUse', 'run_tests', 'check_command.py',
   '2026-01-15 09:00:39.900000',
   '2026-01-15 09:00:39.980000', 80.0, 'success', '["IC-001"]', '["SV-001"]', 1, NULL, '2026-01-15 09:00:39.980000'),
  ('019bc0de-0000-7000-8000-000000000142', '019bc0de-0000-7000-8000-000000000152',
   '019bc0de-0000-7000-8000-000000000004', '019bc0de-0000-7000-8000-000000000141', 'PostToolUse', 'run_tests',
   'read_report.py', '2026-01-15 09:00:47.000000',
   '2026-01-15 09:00:47.250000', 250.0, 'error', NULL, NULL, 0, 'the report is not valid XML',
   '2026-01-15 09:00:47.250000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO endpoint_calls (
  id, correlation_id, hook_execution_id, service_name, endpoint_path, http_method, response_status, started_at,
  completed_at, duration_ms, success, error_message, error_type, retry_count, created_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000161', '019bc0de-0000-7000-8000-000000000004',
   '019bc0de-0000-7000-8000-000000000141', 'intelligence', '/api/rag/query', 'POST', NULL,
   '2026-01-15 09:00:39.910000', '2026-01-15 09:00:39.940000',
   30.0, 0, 'no answer within 30 ms', 'timeout', 1, '2026-01-15 09:00:39.940000'),
  ('019bc0de-0000-7000-8000-000000000162', '019bc0de-0000-7000-8000-000000000004',
   '019bc0de-0000-7000-8000-000000000141', 'intelligence', '/api/rag/query', 'POST', 200, '2026-01-15 09:00:39.940000',
   '2026-01-15 09:00:39.965000',
   25.0, 1, NULL, NULL, 0, '2026-01-15 09:00:39.965000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO success_patterns (
  id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence, endpoint_pattern,
  avg_duration_ms, min_duration_ms, max_duration_ms, avg_hook_count, avg_endpoint_count, avg_rag_query_count,
  success_score, total_usage_count, success_count, failure_count, tags, created_at, last_used_at, updated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000171', '019bc0de-0000-7000-8000-000000000001', 'authentication',
   '["sign", "token", "user"]', 'coder', 'fuzzy_match',
   '["PreToolUse", "PostToolUse"]', '[{"service": "intelligence", "path": "/api/rag/query"}]', 72500.0, 72500.0,
   72500.0, 2.0, 2.0, 1.0, 0.85, 2, 1, 1, '["sample"]', '2026-01-15 09:02:00.000000', '2026-01-17 09:00:00.000000',
   '2026-01-17 09:00:00.000000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO pattern_usage_log (
  id, pattern_id, correlation_id, user_request, match_score, used, outcome, success, expected_duration_ms,
  actual_duration_ms, performance_variance, used_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000181', '019bc0de-0000-7000-8000-000000000171',
   '019bc0de-0000-7000-8000-000000000191', 'let users sign out', 0.88, 1, 'success', 1, 72500.0, 65250.0, -0.1,
   '2026-01-16 09:00:00.000000'),
  ('019bc0de-0000-7000-8000-000000000182', '019bc0de-0000-7000-8000-000000000171',
   '019bc0de-0000-7000-8000-000000000192', 'let users reset their password', 0.86, 1, 'failure', 0, 72500.0, 87000.0,
   0.2,
   '2026-01-17 09:00:00.000000'),
  ('019bc0de-0000-7000-8000-000000000183', '019bc0de-0000-7000-8000-000000000171',
   '019bc0de-0000-7000-8000-000000000193', 'show the signed-in user', 0.72, 0, NULL, NULL, 72500.0, NULL, NULL,
   '2026-01-18 09:00:00.000000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO agent_chaining_patterns (
  id, primary_agent, delegated_agents, delegation_depth, trigger_context, success_rate, usage_count,
  avg_total_duration_ms, avg_coordination_overhead_ms, source_traces, tags, created_at, last_used_at, updated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000201', 'coordinator', '["coder"]', 1, 'authentication', 1.0, 1, 72500.0, 800.0,
   '["019bc0de-0000-7000-8000-000000000001"]', '["sample"]', '2026-01-15 09:02:00.000000', '2026-01-15 09:00:00.000000',
   '2026-01-15 09:02:00.000000')
ON CONFLICT (id) DO NOTHING;

INSERT INTO error_patterns (
  id, error_type, error_message_pattern, agent, occurrence_count, first_seen_at, last_seen_at, sample_correlation_ids,
  known_fix, tags, severity, created_at, updated_at
) VALUES
  ('019bc0de-0000-7000-8000-000000000211', 'AssertionError', '<name> failed: <number> is not <number>', 'Code', 1,
   '2026-01-15 09:00:47.000000', '2026-01-15 09:00:47.000000',
   '["019bc0de-0000-7000-8000-000000000004"]', '{"hint": "check the expiry before the signature"}', '["sample"]',
   'medium', '2026-01-15 09:00:47.000000',
   '2026-01-15 09:00:47.000000')
ON CONFLICT (id) DO NOTHING;
