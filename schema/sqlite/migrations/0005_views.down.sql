-- Takes the views away again; the tables keep their rows.
DROP VIEW dashboard_summary;
DROP VIEW pattern_effectiveness;
DROP VIEW error_analysis;
DROP VIEW endpoint_reliability;
DROP VIEW hook_performance_summary;
DROP VIEW agent_performance;
DROP VIEW trace_summary;
DROP VIEW bootstrap_status;
DROP VIEW defect_density_by_component;
DROP VIEW review_agent_effectiveness;
DROP VIEW probe_training_data;
DROP VIEW hourly_agent_performance;
DROP VIEW daily_cost_summary;
