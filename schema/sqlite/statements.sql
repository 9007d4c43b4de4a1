-- What the writer does to an SQLite database; each block is one statement, by the name in its first line.
-- `{columns}` and `{values}` are filled with names and placeholders of the columns that a batch uses.

-- name: insert_trace
INSERT INTO execution_traces ({columns}) VALUES ({values});

-- name: insert_metric
INSERT INTO agent_cost_vector ({columns}) VALUES ({values});

-- name: open_trace
INSERT INTO execution_traces ({columns}) VALUES ({values})
ON CONFLICT (correlation_id) DO NOTHING;

-- Status only moves forward: a final row replaces an open or an abandoned one, never another final one.
-- name: finish_trace
INSERT INTO execution_traces ({columns}) VALUES ({values})
ON CONFLICT (correlation_id) DO UPDATE SET
  agent_iteration = excluded.agent_iteration, completed_at = excluded.completed_at,
  duration_ms = excluded.duration_ms, status = excluded.status, success = excluded.success,
  error_message = excluded.error_message, error_type = excluded.error_type, context = excluded.context,
  tags = excluded.tags, usage = excluded.usage, input = excluded.input, output = excluded.output,
  name = excluded.name, prompt_text = excluded.prompt_text,
  task_id = excluded.task_id, subtask_id = excluded.subtask_id, user_id = excluded.user_id,
  session_id = excluded.session_id, updated_at = excluded.updated_at
WHERE execution_traces.status IN ('in_progress', 'abandoned');

-- Which of the executions that other programs have sent need nothing any more.
-- name: ended_traces
SELECT correlation_id FROM execution_traces
WHERE correlation_id IN (SELECT value FROM json_each(:ids)) AND status NOT IN ('in_progress', 'abandoned');

-- Facts merge: what is not given never overwrites what is known.
-- name: merge_task
INSERT INTO task_metadata (
  task_id, created_at, project_id, user_id, task_type, task_description, requirements_text, semantic_units_json,
  estimated_complexity, actual_complexity, estimated_cost_vector_json, components_affected, bootstrap_phase,
  human_reviewed, human_corrections_json, status, metadata, updated_at
) VALUES (
  :task_id, :moment, :project_id, :user_id, :task_type, :task_description, :requirements_text,
  :semantic_units_json, :estimated_complexity, :actual_complexity, :estimated_cost_vector_json,
  :components_affected, :bootstrap_phase, coalesce(:human_reviewed, 0), :human_corrections_json,
  coalesce(:status, 'pending'), json_patch('{}', :metadata), :moment
)
ON CONFLICT (task_id) DO UPDATE SET
  created_at = min(created_at, excluded.created_at),
  project_id = coalesce(excluded.project_id, project_id),
  user_id = coalesce(excluded.user_id, user_id),
  task_type = coalesce(excluded.task_type, task_type),
  task_description = coalesce(excluded.task_description, task_description),
  requirements_text = coalesce(excluded.requirements_text, requirements_text),
  semantic_units_json = coalesce(excluded.semantic_units_json, semantic_units_json),
  estimated_complexity = coalesce(excluded.estimated_complexity, estimated_complexity),
  actual_complexity = coalesce(excluded.actual_complexity, actual_complexity),
  estimated_cost_vector_json = coalesce(excluded.estimated_cost_vector_json, estimated_cost_vector_json),
  components_affected = coalesce(excluded.components_affected, components_affected),
  bootstrap_phase = coalesce(excluded.bootstrap_phase, bootstrap_phase),
  human_reviewed = coalesce(:human_reviewed, human_reviewed),
  human_corrections_json = coalesce(excluded.human_corrections_json, human_corrections_json),
  status = coalesce(:status, status),
  metadata = CASE WHEN :metadata IS NULL THEN metadata ELSE json_patch(coalesce(metadata, '{}'), :metadata) END,
  updated_at = max(updated_at, excluded.updated_at);

-- A task is in progress while one of its executions is; else it is as the last of them ended. The earliest start and
-- the latest end are kept. Worked out from the executions, so that the order of arrival does not matter.
-- name: update_task_status
UPDATE task_metadata AS task SET
  started_at = min(coalesce(task.started_at, runs.first_start), runs.first_start),
  completed_at = CASE WHEN runs.open_runs > 0 THEN task.completed_at
                 ELSE max(coalesce(task.completed_at, ''), coalesce(runs.last_end, runs.last_seen)) END,
  status = CASE WHEN runs.open_runs > 0 THEN 'in_progress' WHEN runs.last_status = 'success' THEN 'completed'
           ELSE 'failed' END,
  metadata = CASE
    WHEN runs.open_runs > 0 OR runs.last_status = 'success'
      THEN CASE WHEN json_extract(task.metadata, '$.failure') IS NULL THEN task.metadata
           ELSE nullif(json_remove(task.metadata, '$.failure'), '{}') END
    ELSE json_set(coalesce(task.metadata, '{}'), '$.failure', runs.reason) END,
  updated_at = max(task.updated_at, runs.last_update)
FROM (
  SELECT task_id, min(started_at) AS first_start, max(completed_at) AS last_end,
    max(updated_at) AS last_update, max(coalesce(completed_at, updated_at)) AS last_seen,
    sum(status = 'in_progress') AS open_runs,
    (SELECT status FROM execution_traces AS run WHERE run.task_id = every.task_id AND run.kind = 'task'
     ORDER BY coalesce(completed_at, started_at) DESC LIMIT 1) AS last_status,
    (SELECT CASE WHEN status = 'abandoned' THEN 'abandoned: its process ended before the task did'
                 ELSE status || ': ' || coalesce(error_type, 'unknown') END
     FROM execution_traces AS run WHERE run.task_id = every.task_id AND run.kind = 'task'
     ORDER BY coalesce(completed_at, started_at) DESC LIMIT 1) AS reason
  FROM execution_traces AS every
  WHERE task_id IN (SELECT value FROM json_each(:tasks)) AND kind = 'task'
  GROUP BY task_id
) AS runs
WHERE task.task_id = runs.task_id;

-- name: roll_up_tasks
UPDATE task_metadata AS task SET
  actual_cost_vector_json = (
    SELECT json_object(
      'latency_ms', round(sum(metric_value) FILTER (WHERE metric_type = 'Latency' AND NOT nested), 6),
      'tokens', cast(sum(metric_value) FILTER (WHERE metric_type IN ('Tokens_In', 'Tokens_Out')) AS INTEGER),
      'api_cost_usd', round(sum(metric_value) FILTER (WHERE metric_type = 'API_Cost'), 10))
    FROM agent_cost_vector AS cost WHERE cost.task_id = task.task_id),
  defect_count = (
    SELECT count(*) FROM defect_log AS defect WHERE defect.task_id = task.task_id AND NOT coalesce(false_positive, 0)),
  defect_density = (
    SELECT round(count(*) * 1.0 / nullif(coalesce(task.actual_complexity, task.estimated_complexity), 0), 3)
    FROM defect_log AS defect WHERE defect.task_id = task.task_id AND NOT coalesce(false_positive, 0))
WHERE task_id IN (SELECT value FROM json_each(:tasks)) AND status IN ('completed', 'failed');

-- name: merge_defect
INSERT INTO defect_log (
  defect_id, created_at, task_id, project_id, user_id, correlation_id, defect_type, severity, phase_injected,
  phase_removed, component_path, function_name, line_number, effort_to_fix_json, description, root_cause,
  resolution_notes, flagged_by_agent, validated_by_human, false_positive, metadata
) VALUES (
  :defect_id, :moment, :task_id, :project_id, :user_id, :correlation_id, :defect_type, :severity, :phase_injected,
  :phase_removed, :component_path, :function_name, :line_number, :effort_to_fix_json, :description, :root_cause,
  :resolution_notes, coalesce(:flagged_by_agent, 0), coalesce(:validated_by_human, 0),
  coalesce(:false_positive, 0), :metadata
)
ON CONFLICT (defect_id) DO UPDATE SET
  created_at = min(created_at, excluded.created_at),
  task_id = excluded.task_id,
  project_id = coalesce(excluded.project_id, project_id),
  user_id = coalesce(excluded.user_id, user_id),
  correlation_id = coalesce(excluded.correlation_id, correlation_id),
  defect_type = excluded.defect_type,
  severity = coalesce(excluded.severity, severity),
  phase_injected = excluded.phase_injected,
  phase_removed = excluded.phase_removed,
  component_path = coalesce(excluded.component_path, component_path),
  function_name = coalesce(excluded.function_name, function_name),
  line_number = coalesce(excluded.line_number, line_number),
  effort_to_fix_json = coalesce(effort_to_fix_json, excluded.effort_to_fix_json),
  description = excluded.description,
  root_cause = coalesce(root_cause, excluded.root_cause),
  resolution_notes = coalesce(resolution_notes, excluded.resolution_notes),
  flagged_by_agent = coalesce(:flagged_by_agent, flagged_by_agent),
  validated_by_human = coalesce(:validated_by_human, validated_by_human),
  false_positive = coalesce(:false_positive, false_positive),
  metadata = CASE WHEN excluded.metadata IS NULL THEN metadata
             ELSE json_patch(excluded.metadata, coalesce(metadata, '{}')) END;

-- What is found out about a defect may arrive, by way of another thread's lane, before the defect itself: it then makes
-- a row that says so, which the defect completes.
-- name: resolve_defect
INSERT INTO defect_log (
  defect_id, created_at, resolved_at, task_id, project_id, user_id, defect_type, phase_injected, phase_removed,
  description, root_cause, resolution_notes, validated_by_human, false_positive, metadata
) VALUES (
  :defect_id, :moment, :moment, coalesce(:task_id, 'unknown'), :project_id, :user_id, 'unknown', 'unknown',
  'not yet logged', 'not yet logged', :root_cause, :resolution_notes,
  coalesce(:validated_by_human, 0), coalesce(:false_positive, 0), :metadata
)
ON CONFLICT (defect_id) DO UPDATE SET
  resolved_at = max(coalesce(resolved_at, created_at), created_at, excluded.resolved_at),
  root_cause = coalesce(excluded.root_cause, root_cause),
  resolution_notes = coalesce(excluded.resolution_notes, resolution_notes),
  validated_by_human = coalesce(:validated_by_human, validated_by_human),
  false_positive = coalesce(:false_positive, false_positive),
  metadata = CASE WHEN excluded.metadata IS NULL THEN metadata
             ELSE json_patch(coalesce(metadata, '{}'), excluded.metadata) END;

-- name: tasks_of_defects
SELECT DISTINCT task_id FROM defect_log WHERE defect_id IN (SELECT value FROM json_each(:defects));

-- The effort of fixing a defect: the wall time of the blocks that fixed it, and all that was spent inside them, in
-- whatever task. Each batch adds its share; it is committed exactly once, and in any order.
-- name: add_effort
INSERT INTO defect_log (
  defect_id, created_at, task_id, defect_type, phase_injected, phase_removed, description, effort_to_fix_json
) VALUES (
  :defect_id, :moment, coalesce(:task_id, 'unknown'), 'unknown', 'unknown', 'not yet logged', 'not yet logged',
  json_object('latency_ms', cast(:latency_ms AS REAL), 'tokens', :tokens,
    'api_cost_usd', cast(:api_cost_usd AS REAL), 'retries', :retries)
)
ON CONFLICT (defect_id) DO UPDATE SET
  effort_to_fix_json = json_object(
    'latency_ms', round(coalesce(json_extract(effort_to_fix_json, '$.latency_ms'), 0) + :latency_ms, 6),
    'tokens', coalesce(json_extract(effort_to_fix_json, '$.tokens'), 0) + :tokens,
    'api_cost_usd', CASE WHEN :api_cost_usd IS NULL THEN json_extract(effort_to_fix_json, '$.api_cost_usd')
      ELSE round(coalesce(json_extract(effort_to_fix_json, '$.api_cost_usd'), 0) + :api_cost_usd, 10) END,
    'retries', coalesce(json_extract(effort_to_fix_json, '$.retries'), 0) + :retries);

-- name: insert_bootstrap
INSERT INTO bootstrap_metrics (
  measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode, tasks_completed,
  tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction,
  secondary_metrics_json, graduation_criteria_met, graduation_notes, metadata
) VALUES (
  :measured_at, :measurement_period_start, :measurement_period_end, :capability_name, :capability_mode,
  :tasks_completed, :tasks_required_for_graduation, :primary_metric_name, :primary_metric_value,
  :primary_metric_target, :metric_direction, :secondary_metrics_json, coalesce(:graduation_criteria_met, 0),
  :graduation_notes, :metadata
);

-- name: insert_endpoint_call
INSERT INTO endpoint_calls (
  id, correlation_id, hook_execution_id, service_name, endpoint_path, http_method, request_body, response_body, headers,
  response_status, started_at, completed_at, duration_ms, success, error_message, error_type, retry_count, context,
  created_at
) VALUES (
  :id, :correlation_id, :hook_execution_id, :service_name, :endpoint_path, :http_method, :request_body, :response_body,
  :headers, :response_status, :started_at, :completed_at, :duration_ms, :success, :error_message, :error_type,
  :retry_count, :context, :created_at
);

-- name: insert_transformation
INSERT INTO agent_transformation_events (
  id, event_type, correlation_id, session_id, source_agent, target_agent, transformation_reason, context_snapshot,
  context_keys, context_size_bytes, user_request, routing_confidence, routing_strategy, transformation_duration_ms,
  initialization_duration_ms, total_execution_duration_ms, success, error_message, error_type, quality_score,
  agent_definition_id, parent_event_id, started_at, completed_at
) VALUES (
  :id, :event_type, :correlation_id, :session_id, :source_agent, :target_agent, :transformation_reason,
  :context_snapshot, :context_keys, :context_size_bytes, :user_request, :routing_confidence, :routing_strategy,
  :transformation_duration_ms, :initialization_duration_ms, :total_execution_duration_ms, :success, :error_message,
  :error_type, :quality_score, :agent_definition_id, :parent_event_id, :started_at, :completed_at
);

-- name: insert_hook
INSERT INTO hook_executions (
  id, execution_id, correlation_id, parent_id, hook_type, tool_name, hook_script, started_at, completed_at,
  duration_ms, status, intelligence_functions_executed, rag_queries_executed, quality_gates_validated, success,
  error_message, modifications_made, context, created_at
) VALUES (
  :id, :execution_id, :correlation_id, :parent_id, :hook_type, :tool_name, :hook_script, :started_at, :completed_at,
  :duration_ms, :status, :intelligence_functions_executed, :rag_queries_executed, :quality_gates_validated, :success,
  :error_message, :modifications_made, :context, :created_at
);

-- name: insert_routing_decision
INSERT INTO agent_routing_decisions (
  id, correlation_id, user_request, selected_agent, selection_reason, confidence_total, confidence_trigger,
  confidence_context, confidence_capability, confidence_historical, alternatives, routing_strategy, pattern_id,
  cache_hit, routing_duration_ms, request_embedding, created_at
) VALUES (
  :id, :correlation_id, :user_request, :selected_agent, :selection_reason, :confidence_total, :confidence_trigger,
  :confidence_context, :confidence_capability, :confidence_historical, :alternatives, :routing_strategy, :pattern_id,
  :cache_hit, :routing_duration_ms, :request_embedding, :created_at
);

-- A decision and what was found out about it come in any order: what comes first makes the row, the rest completes it.
-- Of several validations the newest holds, whole, however late the others arrive; a repeated one changes nothing.
-- name: merge_router_metric
INSERT INTO router_performance_metrics (
  id, metric_type, correlation_id, user_request_hash, context_hash, selected_agent, selection_strategy,
  confidence_score, alternative_agents, alternatives_count, cache_lookup_us, trigger_matching_us,
  confidence_scoring_us, total_routing_time_us, trigger_confidence, context_confidence, capability_confidence,
  historical_confidence, cache_hit, cache_key, cache_age_seconds, selection_validated, actual_success,
  actual_quality_score, feedback_provided, feedback_type, feedback_details, measured_at, validated_at,
  prediction_error
) VALUES (
  :id, :metric_type, :correlation_id, :user_request_hash, :context_hash, :selected_agent, :selection_strategy,
  :confidence_score, :alternative_agents, :alternatives_count, :cache_lookup_us, :trigger_matching_us,
  :confidence_scoring_us, :total_routing_time_us, :trigger_confidence, :context_confidence, :capability_confidence,
  :historical_confidence, :cache_hit, :cache_key, :cache_age_seconds, :selection_validated, :actual_success,
  :actual_quality_score, :feedback_provided, :feedback_type, :feedback_details, :measured_at, :validated_at,
  round(:confidence_score - :actual_quality_score, 4)
)
ON CONFLICT (id) DO UPDATE SET
  metric_type = CASE WHEN metric_type = 'validation' THEN excluded.metric_type ELSE metric_type END,
  measured_at = CASE WHEN excluded.metric_type <> 'validation' THEN excluded.measured_at
    WHEN metric_type <> 'validation' THEN measured_at
    ELSE min(measured_at, excluded.measured_at) END,
  alternatives_count = CASE WHEN metric_type = 'validation'
    THEN excluded.alternatives_count ELSE alternatives_count END,
  correlation_id = coalesce(correlation_id, excluded.correlation_id),
  user_request_hash = coalesce(user_request_hash, excluded.user_request_hash),
  context_hash = coalesce(context_hash, excluded.context_hash),
  selected_agent = coalesce(selected_agent, excluded.selected_agent),
  selection_strategy = coalesce(selection_strategy, excluded.selection_strategy),
  confidence_score = coalesce(confidence_score, excluded.confidence_score),
  alternative_agents = coalesce(alternative_agents, excluded.alternative_agents),
  cache_lookup_us = coalesce(cache_lookup_us, excluded.cache_lookup_us),
  trigger_matching_us = coalesce(trigger_matching_us, excluded.trigger_matching_us),
  confidence_scoring_us = coalesce(confidence_scoring_us, excluded.confidence_scoring_us),
  total_routing_time_us = coalesce(total_routing_time_us, excluded.total_routing_time_us),
  trigger_confidence = coalesce(trigger_confidence, excluded.trigger_confidence),
  context_confidence = coalesce(context_confidence, excluded.context_confidence),
  capability_confidence = coalesce(capability_confidence, excluded.capability_confidence),
  historical_confidence = coalesce(historical_confidence, excluded.historical_confidence),
  cache_hit = coalesce(cache_hit, excluded.cache_hit),
  cache_key = coalesce(cache_key, excluded.cache_key),
  cache_age_seconds = coalesce(cache_age_seconds, excluded.cache_age_seconds),
  selection_validated = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.selection_validated ELSE selection_validated END,
  actual_success = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.actual_success ELSE actual_success END,
  actual_quality_score = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.actual_quality_score ELSE actual_quality_score END,
  feedback_provided = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.feedback_provided ELSE feedback_provided END,
  feedback_type = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.feedback_type ELSE feedback_type END,
  feedback_details = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.feedback_details ELSE feedback_details END,
  validated_at = CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
    THEN excluded.validated_at ELSE validated_at END,
  prediction_error = round(coalesce(confidence_score, excluded.confidence_score)
    - CASE WHEN excluded.validated_at >= coalesce(validated_at, '')
      THEN excluded.actual_quality_score ELSE actual_quality_score END, 4);

-- name: insert_rejection
INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (journal_id, sequence) DO NOTHING;

-- name: begin_lane
INSERT INTO journal_checkpoints (journal_id, position, updated_at) VALUES (?, 0, ?)
ON CONFLICT (journal_id) DO NOTHING;

-- The compare-and-set that makes the drain exact: of two drainers of one lane, one moves it and the other rolls back.
-- name: move_lane
UPDATE journal_checkpoints
SET position = :after, stored = :stored, rejected = :rejected, dropped = :dropped, drop_reasons = :reasons,
    updated_at = :now
WHERE journal_id = :lane AND position = :before;

-- name: checkpoints
SELECT journal_id, position, stored, rejected, drop_reasons FROM journal_checkpoints
WHERE journal_id >= :journal || '/' AND journal_id < :journal || '0';

-- name: all_checkpoints
SELECT journal_id, position, stored, rejected, dropped, drop_reasons, updated_at FROM journal_checkpoints
ORDER BY journal_id;

-- Checkpoints of journals whose files are gone are folded into one row, so that the account of losses stays whole.
-- name: fold_lanes
INSERT INTO journal_checkpoints (journal_id, position, stored, rejected, dropped, drop_reasons, updated_at)
SELECT 'retired', 0, sum(stored), sum(rejected), sum(dropped), (
    SELECT nullif(json_group_object(reason, number), '{}') FROM (
      SELECT each.key AS reason, sum(each.value) AS number
      FROM journal_checkpoints AS lane, json_each(lane.drop_reasons) AS each
      WHERE lane.journal_id = 'retired' OR (lane.journal_id >= :journal || '/' AND lane.journal_id < :journal || '0')
      GROUP BY each.key)),
  :now
FROM journal_checkpoints
WHERE journal_id >= :journal || '/' AND journal_id < :journal || '0'
HAVING count(*) > 0
ON CONFLICT (journal_id) DO UPDATE SET
  stored = stored + excluded.stored, rejected = rejected + excluded.rejected, dropped = dropped + excluded.dropped,
  drop_reasons = excluded.drop_reasons, updated_at = excluded.updated_at;

-- name: forget_lanes
DELETE FROM journal_checkpoints WHERE journal_id >= :journal || '/' AND journal_id < :journal || '0';

-- name: abandon_traces
UPDATE execution_traces SET status = 'abandoned', success = 0, updated_at = :now,
  error_message = 'its process ended before it did'
WHERE status = 'in_progress' AND json_extract(context, '$.journal_id') = :journal
RETURNING task_id, kind;

-- name: identity
SELECT id FROM database_identity;
