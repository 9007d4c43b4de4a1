-- What capabilities are measured on, and what was measured before; both databases understand it. `:name` marks a value.

-- name: ended_tasks
SELECT
  task_id, coalesce(started_at, created_at) AS begun_at, coalesce(completed_at, updated_at) AS ended_at,
  semantic_units_json AS units, human_reviewed AS reviewed, human_corrections_json AS corrections,
  components_affected AS components, metadata, NULL AS reviews
FROM task_metadata
WHERE status = 'completed'
ORDER BY ended_at DESC, task_id DESC
LIMIT :most;

-- name: reviewed_tasks
SELECT DISTINCT task_id, agent_role
FROM agent_cost_vector
WHERE agent_role IN ('DesignReview', 'CodeReview') AND metric_type = 'Latency' AND timestamp >= :since;

-- name: defects
SELECT
  defect.defect_id, defect.task_id, defect.created_at, defect.defect_type, defect.phase_injected, defect.phase_removed,
  defect.component_path, defect.flagged_by_agent, defect.validated_by_human, defect.false_positive, defect.metadata
FROM defect_log AS defect
JOIN task_metadata AS task ON task.task_id = defect.task_id
WHERE task.status = 'completed' AND coalesce(task.completed_at, task.updated_at) >= :since
ORDER BY defect.created_at, defect.defect_id;

-- name: measurements
SELECT
  measured_at, measurement_period_start AS period_start, measurement_period_end AS period_end,
  capability_name AS capability, capability_mode AS mode, tasks_completed,
  tasks_required_for_graduation AS tasks_required, primary_metric_name AS metric, primary_metric_value AS value,
  primary_metric_target AS target, metric_direction AS direction, secondary_metrics_json AS measures,
  graduation_criteria_met, graduation_notes AS notes, metadata
FROM bootstrap_metrics
WHERE capability_name = :capability
ORDER BY measured_at DESC, id DESC
LIMIT :most;
