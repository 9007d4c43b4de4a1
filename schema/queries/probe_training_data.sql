-- What PROBE-AI learns from: finished tasks, how complex they were thought to be, and what they took.
SELECT
  task_id, task_type, estimated_complexity, actual_complexity, actual_latency_ms, actual_tokens, actual_api_cost_usd,
  defect_count
FROM probe_training_data
ORDER BY completed_at, task_id;
