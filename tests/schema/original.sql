-- What the original scripts made: four tables, no ledger, closed lists of roles and metric types, loose typing.
CREATE TABLE agent_cost_vector (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp TEXT NOT NULL DEFAULT (datetime('now')),
  execution_date TEXT NOT NULL DEFAULT (date('now')),
  task_id TEXT NOT NULL, subtask_id TEXT, project_id TEXT, user_id TEXT,
  agent_role TEXT NOT NULL, agent_version TEXT, agent_iteration INTEGER DEFAULT 1,
  metric_type TEXT NOT NULL, metric_value REAL NOT NULL, metric_unit TEXT NOT NULL,
  llm_model TEXT, llm_provider TEXT, metadata TEXT,
  CHECK (metric_value >= 0),
  CHECK (agent_role IN ('Planning', 'Design', 'DesignReview', 'Code', 'CodeReview', 'Test', 'Postmortem')),
  CHECK (metric_type IN ('Latency', 'Tokens_In', 'Tokens_Out', 'API_Cost', 'Memory_Usage', 'Tool_Calls', 'Retries'))
);
CREATE TABLE defect_log (
  defect_id TEXT PRIMARY KEY,
  created_at TEXT NOT NULL DEFAULT (datetime('now')), resolved_at TEXT,
  task_id TEXT NOT NULL, project_id TEXT,
  defect_type TEXT NOT NULL, severity TEXT,
  phase_injected TEXT NOT NULL, phase_removed TEXT NOT NULL,
  component_path TEXT, function_name TEXT, line_number INTEGER, effort_to_fix_json TEXT,
  description TEXT NOT NULL, root_cause TEXT, resolution_notes TEXT,
  flagged_by_agent INTEGER DEFAULT 0, validated_by_human INTEGER DEFAULT 0, false_positive INTEGER DEFAULT 0,
  metadata TEXT,
  CHECK (severity IN ('Low', 'Medium', 'High', 'Critical'))
);
CREATE TABLE task_metadata (
  task_id TEXT PRIMARY KEY,
  created_at TEXT NOT NULL DEFAULT (datetime('now')), started_at TEXT, completed_at TEXT,
  project_id TEXT, task_type TEXT, task_description TEXT, requirements_text TEXT, semantic_units_json TEXT,
  estimated_complexity INTEGER, actual_complexity INTEGER,
  estimated_cost_vector_json TEXT, actual_cost_vector_json TEXT,
  defect_count INTEGER DEFAULT 0, defect_density REAL, components_affected TEXT,
  bootstrap_phase TEXT, human_reviewed INTEGER DEFAULT 0, human_corrections_json TEXT,
  status TEXT DEFAULT 'pending', metadata TEXT,
  CHECK (status IN ('pending', 'in_progress', 'completed', 'failed'))
);
CREATE TABLE bootstrap_metrics (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  measured_at TEXT NOT NULL DEFAULT (datetime('now')),
  measurement_period_start TEXT NOT NULL, measurement_period_end TEXT NOT NULL,
  capability_name TEXT NOT NULL, capability_mode TEXT NOT NULL,
  tasks_completed INTEGER NOT NULL, tasks_required_for_graduation INTEGER NOT NULL,
  primary_metric_name TEXT NOT NULL, primary_metric_value REAL, primary_metric_target REAL NOT NULL,
  secondary_metrics_json TEXT, graduation_criteria_met INTEGER DEFAULT 0, graduation_notes TEXT, metadata TEXT
);
CREATE INDEX idx_cost_task ON agent_cost_vector (task_id);
CREATE INDEX idx_task_status ON task_metadata (status);
CREATE VIEW costs AS SELECT task_id, sum(metric_value) AS usd FROM agent_cost_vector
  WHERE metric_type = 'API_Cost' GROUP BY task_id;

INSERT INTO task_metadata (
  task_id, created_at, started_at, completed_at, project_id, task_type, task_description, semantic_units_json,
  estimated_complexity, actual_complexity, defect_count, defect_density, components_affected, bootstrap_phase,
  human_reviewed, status, metadata
) VALUES
  ('TASK-001', '2025-11-12 09:00:00', '2025-11-12 09:00:05', '2025-11-12 09:30:00', 'ASP-Platform', 'authentication',
   'Sign in', '{"semantic_units": [{"unit_id": "SU-001"}]}', 18, 20, 2, 0.1, '["src/a.py", "src/b.py"]', 'Learning',
   1, 'completed', '{"note": "kept"}'),
  ('TASK-002', '2025-11-13 09:00:00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, 'pending',
   NULL);
INSERT INTO agent_cost_vector (
  timestamp, execution_date, task_id, project_id, agent_role, agent_version, agent_iteration, metric_type,
  metric_value, metric_unit, llm_model, llm_provider, metadata
) VALUES
  ('2025-11-12 09:01:00', '2025-11-12', 'TASK-001', 'ASP-Platform', 'Planning', '1.0.0', 1, 'Latency', 12500.0, 'ms',
   NULL, NULL, NULL),
  ('2025-11-12 09:01:00', '2025-11-12', 'TASK-001', 'ASP-Platform', 'Planning', '1.0.0', 1, 'API_Cost',
   0.30000000000000004, 'USD', 'claude-sonnet-4', 'anthropic', '{"cache": true}'),
  ('2025-11-12 09:02:00', '2025-11-12', 'TASK-001', NULL, 'Code', NULL, 2, 'Tokens_In', 4200.0, 'tokens',
   'gpt-4o', 'openai', NULL);
INSERT INTO defect_log (
  defect_id, created_at, resolved_at, task_id, defect_type, severity, phase_injected, phase_removed, component_path,
  line_number, effort_to_fix_json, description, flagged_by_agent, validated_by_human
) VALUES
  ('D-001', '2025-11-12 10:00:00', '2025-11-12 11:00:00', 'TASK-001', '5_Security_Vulnerability', 'High', 'Code',
   'CodeReview', 'src/a.py', 42, '{"latency_ms": 2900}', 'no expiry', 1, 1),
  ('D-002', '2025-11-12 10:00:00', NULL, 'TASK-001', '20_Syntax', NULL, 'Code', 'Test', NULL, NULL, NULL, 'typo', 0, 0);
INSERT INTO bootstrap_metrics (
  measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode, tasks_completed,
  tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target,
  secondary_metrics_json, graduation_criteria_met
) VALUES
  ('2025-11-12 12:00:00', '2025-11-01 00:00:00', '2025-11-12 00:00:00', 'PROBE_AI', 'Learning', 3, 10, 'MAPE', 18.2, 20.0,
   '{"r_squared": null}', 0),
  ('2025-11-12 12:00:00', '2025-11-01 00:00:00', '2025-11-12 00:00:00', 'ReviewAgent_Code', 'Learning', 2, 20,
   'True_Positive_Rate', 100.0, 80.0, NULL, 0);
