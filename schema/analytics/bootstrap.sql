-- How far each capability has come from Learning to Autonomous; both databases understand it.

-- name: status
SELECT
  capability_name AS capability, capability_mode AS mode, tasks_completed, tasks_required_for_graduation AS tasks_required,
  primary_metric_name AS metric, primary_metric_value AS value, primary_metric_target AS target,
  metric_direction AS direction, graduation_criteria_met, graduation_notes AS notes,
  measured_at
FROM bootstrap_status
ORDER BY capability_name;

-- name: history
SELECT
  capability_name AS capability, capability_mode AS mode, tasks_completed, tasks_required_for_graduation AS tasks_required,
  primary_metric_name AS metric, primary_metric_value AS value, primary_metric_target AS target,
  metric_direction AS direction, graduation_criteria_met, graduation_notes AS notes, measured_at
FROM bootstrap_metrics
WHERE measured_at >= :since AND measured_at < :until
  AND (CAST(:capability AS text) IS NULL OR capability_name = :capability)
ORDER BY capability_name, measured_at, id;
