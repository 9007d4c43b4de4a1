-- How far each capability has come on its way from Learning to Autonomous.
SELECT
  capability_name, capability_mode, tasks_completed, tasks_required_for_graduation,
  primary_metric_name, primary_metric_value, primary_metric_target, on_target,
  CASE WHEN graduation_criteria_met THEN 'graduated'
    WHEN on_target AND enough_tasks THEN 'ready to graduate'
    WHEN on_target THEN 'on track: needs more tasks'
    ELSE 'below target' END AS state,
  measured_at
FROM bootstrap_status
ORDER BY capability_name;
