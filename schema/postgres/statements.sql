-- What the writer does to a PostgreSQL database; each block is one statement, by the name in its first line.
-- Rows come in sets: columns of a batch as arrays of text, or its facts as one JSON array of objects. `{columns}`,
-- `{arrays}` and `{typed}` are filled with the names of a table's columns, with parameters, and with casts of both.
-- Locks are taken in one order by everyone, so that writers wait for each other and never in a circle: lanes, traces,
-- router metrics by id, `find_figures`, defects by id, tasks by id.

-- Nothing here outlives the transaction: behind a pooler the next one runs in another session. Timestamps come as UTC
-- text. A writer that vanishes in the middle must not keep its locks; what is committed must be on disk.
-- name: begin
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL lock_timeout TO '5s';
SET LOCAL idle_in_transaction_session_timeout TO '60s';
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';

-- name: begin_to_read
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL idle_in_transaction_session_timeout TO '60s';

-- name: commit
COMMIT;

-- name: roll_back
ROLLBACK;

-- name: identity
SELECT id::text FROM database_identity;

-- COPY is refused where row-level security binds this user.
-- name: may_copy
SELECT NOT row_security_active('execution_traces'::regclass) AND NOT row_security_active('agent_cost_vector'::regclass);

-- name: begin_lanes
INSERT INTO journal_checkpoints (journal_id, position, updated_at)
SELECT lane, 0, $2::text::timestamptz FROM unnest($1::text[]) AS lane ORDER BY lane
ON CONFLICT (journal_id) DO NOTHING;

-- The compare-and-set that makes the drain exact: of two drainers of one lane, one moves it and the other rolls back.
-- name: move_lanes
WITH move AS (
  SELECT * FROM json_to_recordset($1::json)
    AS move (lane text, before bigint, after bigint, stored bigint, rejected bigint, dropped bigint, reasons jsonb)
), locked AS MATERIALIZED (
  SELECT journal_id FROM journal_checkpoints WHERE journal_id IN (SELECT lane FROM move) ORDER BY journal_id FOR UPDATE
)
UPDATE journal_checkpoints AS checkpoint
SET position = move.after, stored = move.stored, rejected = move.rejected, dropped = move.dropped,
    drop_reasons = move.reasons, updated_at = $2::text::timestamptz
FROM move JOIN locked ON locked.journal_id = move.lane
WHERE checkpoint.journal_id = move.lane AND checkpoint.position = move.before;

-- name: insert_trace
INSERT INTO execution_traces ({columns})
SELECT {typed} FROM unnest({arrays}) AS given ({columns});

-- name: insert_metric
INSERT INTO agent_cost_vector ({columns})
SELECT {typed} FROM unnest({arrays}) AS given ({columns});

-- name: open_trace
INSERT INTO execution_traces ({columns})
SELECT {typed} FROM unnest({arrays}) AS given ({columns}) ORDER BY correlation_id
ON CONFLICT (correlation_id) DO NOTHING;

-- Status only moves forward: a final row replaces an open or an abandoned one, never another final one.
-- name: finish_trace
INSERT INTO execution_traces ({columns})
SELECT {typed} FROM unnest({arrays}) AS given ({columns}) ORDER BY correlation_id
ON CONFLICT (correlation_id) DO UPDATE SET
  agent_iteration = excluded.agent_iteration, completed_at = excluded.completed_at,
  duration_ms = excluded.duration_ms, status = excluded.status, success = excluded.success,
  error_message = excluded.error_message, error_type = excluded.error_type, context = excluded.context,
  tags = excluded.tags, usage = excluded.usage, input = excluded.input, output = excluded.output,
  name = excluded.name, prompt_text = excluded.prompt_text,
  task_id = excluded.task_id, subtask_id = excluded.subtask_id, user_id = excluded.user_id,
  session_id = excluded.session_id, updated_at = excluded.updated_at
WHERE execution_traces.status IN ('in_progress', 'abandoned');

-- The same for an execution that another program has sent, and may send again; tells which were new.
-- name: receive_trace
INSERT INTO execution_traces ({columns})
SELECT {typed} FROM unnest({arrays}) AS given ({columns}) ORDER BY correlation_id
ON CONFLICT (correlation_id) DO UPDATE SET
  agent_iteration = excluded.agent_iteration, completed_at = excluded.completed_at,
  duration_ms = excluded.duration_ms, status = excluded.status, success = excluded.success,
  error_message = excluded.error_message, error_type = excluded.error_type, context = excluded.context,
  tags = excluded.tags, usage = excluded.usage, input = excluded.input, output = excluded.output,
  name = excluded.name, prompt_text = excluded.prompt_text,
  task_id = excluded.task_id, subtask_id = excluded.subtask_id, user_id = excluded.user_id,
  session_id = excluded.session_id, updated_at = excluded.updated_at
WHERE execution_traces.status IN ('in_progress', 'abandoned')
RETURNING correlation_id::text;

-- name: insert_bootstrap
INSERT INTO bootstrap_metrics (
  measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode, tasks_completed,
  tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction,
  secondary_metrics_json, graduation_criteria_met, graduation_notes, metadata
)
SELECT measured_at, measurement_period_start, measurement_period_end, capability_name, capability_mode, tasks_completed,
  tasks_required_for_graduation, primary_metric_name, primary_metric_value, primary_metric_target, metric_direction,
  secondary_metrics_json, coalesce(graduation_criteria_met, false), graduation_notes, metadata
FROM json_to_recordset($1::json) AS fact (
  measured_at timestamptz, measurement_period_start timestamptz, measurement_period_end timestamptz,
  capability_name text, capability_mode text, tasks_completed integer, tasks_required_for_graduation integer,
  primary_metric_name text, primary_metric_value numeric, primary_metric_target numeric, metric_direction text,
  secondary_metrics_json jsonb, graduation_criteria_met boolean, graduation_notes text, metadata jsonb
);

-- name: insert_endpoint_calls
INSERT INTO endpoint_calls (
  id, correlation_id, hook_execution_id, service_name, endpoint_path, http_method, request_body, response_body, headers,
  response_status, started_at, completed_at, duration_ms, success, error_message, error_type, retry_count, context,
  created_at
)
SELECT id, correlation_id, hook_execution_id, service_name, endpoint_path, http_method, request_body, response_body,
  headers, response_status, started_at, completed_at, duration_ms, success <> 0, error_message, error_type, retry_count,
  context, created_at
FROM json_to_recordset($1::json) AS fact (
  id uuid, correlation_id uuid, hook_execution_id uuid, service_name text, endpoint_path text, http_method text,
  request_body jsonb, response_body jsonb, headers jsonb, response_status integer, started_at timestamptz,
  completed_at timestamptz, duration_ms numeric, success integer, error_message text, error_type text,
  retry_count integer, context jsonb, created_at timestamptz
);

-- name: insert_transformations
INSERT INTO agent_transformation_events (
  id, event_type, correlation_id, session_id, source_agent, target_agent, transformation_reason, context_snapshot,
  context_keys, context_size_bytes, user_request, routing_confidence, routing_strategy, transformation_duration_ms,
  initialization_duration_ms, total_execution_duration_ms, success, error_message, error_type, quality_score,
  agent_definition_id, parent_event_id, started_at, completed_at
)
SELECT id, event_type, correlation_id, session_id, source_agent, target_agent, transformation_reason, context_snapshot,
  context_keys, context_size_bytes, user_request, routing_confidence, routing_strategy, transformation_duration_ms,
  initialization_duration_ms, total_execution_duration_ms, success <> 0, error_message, error_type, quality_score,
  agent_definition_id, parent_event_id, started_at, completed_at
FROM json_to_recordset($1::json) AS fact (
  id uuid, event_type text, correlation_id uuid, session_id text, source_agent text, target_agent text,
  transformation_reason text, context_snapshot jsonb, context_keys text[], context_size_bytes integer, user_request text,
  routing_confidence numeric, routing_strategy text, transformation_duration_ms numeric,
  initialization_duration_ms numeric, total_execution_duration_ms numeric, success integer, error_message text,
  error_type text, quality_score numeric, agent_definition_id uuid, parent_event_id uuid, started_at timestamptz,
  completed_at timestamptz
);

-- name: insert_hooks
INSERT INTO hook_executions (
  id, execution_id, correlation_id, parent_id, hook_type, tool_name, hook_script, started_at, completed_at,
  duration_ms, status, intelligence_functions_executed, rag_queries_executed, quality_gates_validated, success,
  error_message, modifications_made, context, created_at
)
SELECT id, execution_id, correlation_id, parent_id, hook_type, tool_name, hook_script, started_at, completed_at,
  duration_ms, status, intelligence_functions_executed, rag_queries_executed, quality_gates_validated, success <> 0,
  error_message, modifications_made, context, created_at
FROM json_to_recordset($1::json) AS fact (
  id uuid, execution_id uuid, correlation_id uuid, parent_id uuid, hook_type text, tool_name text, hook_script text,
  started_at timestamptz, completed_at timestamptz, duration_ms numeric, status text,
  intelligence_functions_executed text[], rag_queries_executed jsonb, quality_gates_validated text[],
  success integer, error_message text, modifications_made jsonb, context jsonb, created_at timestamptz
);

-- name: insert_routing_decisions
INSERT INTO agent_routing_decisions (
  id, correlation_id, user_request, selected_agent, selection_reason, confidence_total, confidence_trigger,
  confidence_context, confidence_capability, confidence_historical, alternatives, routing_strategy, pattern_id,
  cache_hit, routing_duration_ms, request_embedding, created_at
)
SELECT id, correlation_id, user_request, selected_agent, selection_reason, confidence_total, confidence_trigger,
  confidence_context, confidence_capability, confidence_historical, alternatives, routing_strategy, pattern_id,
  cache_hit <> 0, routing_duration_ms, request_embedding, created_at
FROM json_to_recordset($1::json) AS fact (
  id uuid, correlation_id uuid, user_request text, selected_agent text, selection_reason text,
  confidence_total numeric, confidence_trigger numeric, confidence_context numeric, confidence_capability numeric,
  confidence_historical numeric, alternatives jsonb, routing_strategy text, pattern_id uuid, cache_hit integer,
  routing_duration_ms numeric, request_embedding real[], created_at timestamptz
);

-- A decision and what was found out about it come in any order: what comes first makes the row, the rest completes it.
-- Of several validations the newest holds, whole, however late the others arrive; a repeated one changes nothing.
-- name: merge_router_metrics
INSERT INTO router_performance_metrics AS metric (
  id, metric_type, correlation_id, user_request_hash, context_hash, selected_agent, selection_strategy,
  confidence_score, alternative_agents, alternatives_count, cache_lookup_us, trigger_matching_us,
  confidence_scoring_us, total_routing_time_us, trigger_confidence, context_confidence, capability_confidence,
  historical_confidence, cache_hit, cache_key, cache_age_seconds, selection_validated, actual_success,
  actual_quality_score, feedback_provided, feedback_type, feedback_details, measured_at, validated_at,
  prediction_error
)
SELECT id, metric_type, correlation_id, user_request_hash, context_hash, selected_agent, selection_strategy,
  confidence_score, alternative_agents, alternatives_count, cache_lookup_us, trigger_matching_us,
  confidence_scoring_us, total_routing_time_us, trigger_confidence, context_confidence, capability_confidence,
  historical_confidence, cache_hit <> 0, cache_key, cache_age_seconds, selection_validated <> 0, actual_success <> 0,
  actual_quality_score, feedback_provided <> 0, feedback_type, feedback_details, measured_at, validated_at,
  confidence_score - actual_quality_score
FROM json_to_recordset($1::json) AS fact (
  id uuid, metric_type text, correlation_id uuid, user_request_hash text, context_hash text, selected_agent text,
  selection_strategy text, confidence_score numeric, alternative_agents jsonb, alternatives_count integer,
  cache_lookup_us integer, trigger_matching_us integer, confidence_scoring_us integer, total_routing_time_us integer,
  trigger_confidence numeric, context_confidence numeric, capability_confidence numeric,
  historical_confidence numeric, cache_hit integer, cache_key text, cache_age_seconds integer,
  selection_validated integer, actual_success integer, actual_quality_score numeric, feedback_provided integer,
  feedback_type text, feedback_details jsonb, measured_at timestamptz, validated_at timestamptz
)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
  metric_type = CASE WHEN metric.metric_type = 'validation' THEN excluded.metric_type ELSE metric.metric_type END,
  measured_at = CASE WHEN excluded.metric_type <> 'validation' THEN excluded.measured_at
    WHEN metric.metric_type <> 'validation' THEN metric.measured_at
    ELSE least(metric.measured_at, excluded.measured_at) END,
  alternatives_count = CASE WHEN metric.metric_type = 'validation'
    THEN excluded.alternatives_count ELSE metric.alternatives_count END,
  correlation_id = coalesce(metric.correlation_id, excluded.correlation_id),
  user_request_hash = coalesce(metric.user_request_hash, excluded.user_request_hash),
  context_hash = coalesce(metric.context_hash, excluded.context_hash),
  selected_agent = coalesce(metric.selected_agent, excluded.selected_agent),
  selection_strategy = coalesce(metric.selection_strategy, excluded.selection_strategy),
  confidence_score = coalesce(metric.confidence_score, excluded.confidence_score),
  alternative_agents = coalesce(metric.alternative_agents, excluded.alternative_agents),
  cache_lookup_us = coalesce(metric.cache_lookup_us, excluded.cache_lookup_us),
  trigger_matching_us = coalesce(metric.trigger_matching_us, excluded.trigger_matching_us),
  confidence_scoring_us = coalesce(metric.confidence_scoring_us, excluded.confidence_scoring_us),
  total_routing_time_us = coalesce(metric.total_routing_time_us, excluded.total_routing_time_us),
  trigger_confidence = coalesce(metric.trigger_confidence, excluded.trigger_confidence),
  context_confidence = coalesce(metric.context_confidence, excluded.context_confidence),
  capability_confidence = coalesce(metric.capability_confidence, excluded.capability_confidence),
  historical_confidence = coalesce(metric.historical_confidence, excluded.historical_confidence),
  cache_hit = coalesce(metric.cache_hit, excluded.cache_hit),
  cache_key = coalesce(metric.cache_key, excluded.cache_key),
  cache_age_seconds = coalesce(metric.cache_age_seconds, excluded.cache_age_seconds),
  selection_validated = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.selection_validated ELSE metric.selection_validated END,
  actual_success = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.actual_success ELSE metric.actual_success END,
  actual_quality_score = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.actual_quality_score ELSE metric.actual_quality_score END,
  feedback_provided = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.feedback_provided ELSE metric.feedback_provided END,
  feedback_type = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.feedback_type ELSE metric.feedback_type END,
  feedback_details = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.feedback_details ELSE metric.feedback_details END,
  validated_at = CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
    THEN excluded.validated_at ELSE metric.validated_at END,
  prediction_error = coalesce(metric.confidence_score, excluded.confidence_score)
    - CASE WHEN excluded.validated_at >= coalesce(metric.validated_at, '-infinity')
      THEN excluded.actual_quality_score ELSE metric.actual_quality_score END;

-- name: insert_rejections
INSERT INTO rejected_records (journal_id, sequence, record, reason, rejected_at)
SELECT lane, sequence, record, reason, $2::text::timestamptz
FROM json_to_recordset($1::json) AS fact (lane text, sequence bigint, record jsonb, reason text)
ORDER BY lane, sequence
ON CONFLICT (journal_id, sequence) DO NOTHING;

-- Which tasks and defects have a row: what a batch adds to the others counts once somebody makes that row.
-- name: find_figures
SELECT 'task' AS kind, task_id AS id FROM task_metadata WHERE task_id = ANY ($1::text[])
UNION ALL
SELECT 'defect', defect_id FROM defect_log WHERE defect_id = ANY ($2::text[]);

-- Whoever makes rows of tasks or defects shares this lock; who adds to figures of rows that are not there yet is alone.
-- So either the one sees the other's metrics when it sums up, or the other sees the one's row and sums up itself.
-- name: share_figures
SELECT pg_advisory_xact_lock_shared(hashtextextended(id::text, 1)) FROM database_identity;

-- name: own_figures
SELECT pg_advisory_xact_lock(hashtextextended(id::text, 1)) FROM database_identity;

-- name: insert_defects
INSERT INTO defect_log (
  defect_id, created_at, task_id, project_id, user_id, correlation_id, defect_type, severity, phase_injected,
  phase_removed, component_path, function_name, line_number, effort_to_fix_json, description, root_cause,
  resolution_notes, flagged_by_agent, validated_by_human, false_positive, metadata
)
SELECT defect_id, moment, task_id, project_id, user_id, correlation_id, defect_type, severity, phase_injected,
  phase_removed, component_path, function_name, line_number, effort_to_fix_json, description, root_cause,
  resolution_notes, coalesce(flagged_by_agent, false), coalesce(validated_by_human, false),
  coalesce(false_positive, false), metadata
FROM json_to_recordset($1::json) AS fact (
  defect_id text, moment timestamptz, task_id text, project_id text, user_id text, correlation_id uuid,
  defect_type text, severity text, phase_injected text, phase_removed text, component_path text, function_name text,
  line_number integer, effort_to_fix_json jsonb, description text, root_cause text, resolution_notes text,
  flagged_by_agent boolean, validated_by_human boolean, false_positive boolean, metadata jsonb
)
ORDER BY defect_id
ON CONFLICT (defect_id) DO NOTHING
RETURNING defect_id;

-- What is found out about a defect may arrive, by way of another thread's lane, before the defect itself: it then makes
-- a row that says so, which the defect completes.
-- name: insert_resolved_defects
INSERT INTO defect_log (
  defect_id, created_at, resolved_at, task_id, project_id, user_id, defect_type, phase_injected, phase_removed,
  description, root_cause, resolution_notes, validated_by_human, false_positive, metadata
)
SELECT defect_id, moment, moment, coalesce(task_id, 'unknown'), project_id, user_id, 'unknown', 'unknown',
  'not yet logged', 'not yet logged', root_cause, resolution_notes,
  coalesce(validated_by_human, false), coalesce(false_positive, false), metadata
FROM json_to_recordset($1::json) AS fact (
  defect_id text, moment timestamptz, task_id text, project_id text, user_id text, root_cause text,
  resolution_notes text, validated_by_human boolean, false_positive boolean, metadata jsonb
)
ORDER BY defect_id
ON CONFLICT (defect_id) DO NOTHING
RETURNING defect_id;

-- name: lock_defects
SELECT defect_id, metadata FROM defect_log WHERE defect_id = ANY ($1::text[]) ORDER BY defect_id FOR NO KEY UPDATE;

-- name: merge_defects
UPDATE defect_log AS defect SET
  created_at = least(defect.created_at, fact.moment),
  task_id = fact.task_id,
  project_id = coalesce(fact.project_id, defect.project_id),
  user_id = coalesce(fact.user_id, defect.user_id),
  correlation_id = coalesce(fact.correlation_id, defect.correlation_id),
  defect_type = fact.defect_type,
  severity = coalesce(fact.severity, defect.severity),
  phase_injected = fact.phase_injected,
  phase_removed = fact.phase_removed,
  component_path = coalesce(fact.component_path, defect.component_path),
  function_name = coalesce(fact.function_name, defect.function_name),
  line_number = coalesce(fact.line_number, defect.line_number),
  effort_to_fix_json = coalesce(defect.effort_to_fix_json, fact.effort_to_fix_json),
  description = fact.description,
  root_cause = coalesce(defect.root_cause, fact.root_cause),
  resolution_notes = coalesce(defect.resolution_notes, fact.resolution_notes),
  flagged_by_agent = coalesce(fact.flagged_by_agent, defect.flagged_by_agent),
  validated_by_human = coalesce(fact.validated_by_human, defect.validated_by_human),
  false_positive = coalesce(fact.false_positive, defect.false_positive),
  metadata = coalesce(fact.metadata, defect.metadata)
FROM json_to_recordset($1::json) AS fact (
  defect_id text, moment timestamptz, task_id text, project_id text, user_id text, correlation_id uuid,
  defect_type text, severity text, phase_injected text, phase_removed text, component_path text, function_name text,
  line_number integer, effort_to_fix_json jsonb, description text, root_cause text, resolution_notes text,
  flagged_by_agent boolean, validated_by_human boolean, false_positive boolean, metadata jsonb
)
WHERE defect.defect_id = fact.defect_id;

-- name: resolve_defects
UPDATE defect_log AS defect SET
  resolved_at = greatest(defect.resolved_at, defect.created_at, fact.moment),
  root_cause = coalesce(fact.root_cause, defect.root_cause),
  resolution_notes = coalesce(fact.resolution_notes, defect.resolution_notes),
  validated_by_human = coalesce(fact.validated_by_human, defect.validated_by_human),
  false_positive = coalesce(fact.false_positive, defect.false_positive),
  metadata = coalesce(fact.metadata, defect.metadata)
FROM json_to_recordset($1::json) AS fact (
  defect_id text, moment timestamptz, root_cause text, resolution_notes text, validated_by_human boolean,
  false_positive boolean, metadata jsonb
)
WHERE defect.defect_id = fact.defect_id;

-- name: tasks_of_defects
SELECT DISTINCT task_id FROM defect_log WHERE defect_id = ANY ($1::text[]);

-- The effort of fixing a defect: the wall time of the blocks that fixed it, and all that was spent inside them, in
-- whatever task. Each batch adds its share; it is committed exactly once, and in any order.
-- name: add_efforts
INSERT INTO defect_log AS defect (
  defect_id, created_at, task_id, defect_type, phase_injected, phase_removed, description, effort_to_fix_json
)
SELECT defect_id, moment, coalesce(task_id, 'unknown'), 'unknown', 'unknown', 'not yet logged', 'not yet logged',
  jsonb_build_object('latency_ms', latency_ms, 'tokens', tokens, 'api_cost_usd', api_cost_usd, 'retries', retries)
FROM json_to_recordset($1::json) AS effort (
  defect_id text, moment timestamptz, task_id text, latency_ms numeric, tokens bigint, api_cost_usd numeric,
  retries bigint
)
ORDER BY defect_id
ON CONFLICT (defect_id) DO UPDATE SET effort_to_fix_json = jsonb_build_object(
  'latency_ms', coalesce((defect.effort_to_fix_json ->> 'latency_ms')::numeric, 0)
    + (excluded.effort_to_fix_json ->> 'latency_ms')::numeric,
  'tokens', coalesce((defect.effort_to_fix_json ->> 'tokens')::bigint, 0)
    + (excluded.effort_to_fix_json ->> 'tokens')::bigint,
  'api_cost_usd', CASE WHEN excluded.effort_to_fix_json ->> 'api_cost_usd' IS NULL
    THEN defect.effort_to_fix_json -> 'api_cost_usd'
    ELSE to_jsonb(coalesce((defect.effort_to_fix_json ->> 'api_cost_usd')::numeric, 0)
      + (excluded.effort_to_fix_json ->> 'api_cost_usd')::numeric) END,
  'retries', coalesce((defect.effort_to_fix_json ->> 'retries')::bigint, 0)
    + (excluded.effort_to_fix_json ->> 'retries')::bigint);

-- name: insert_tasks
INSERT INTO task_metadata (
  task_id, created_at, project_id, user_id, task_type, task_description, requirements_text, semantic_units_json,
  estimated_complexity, actual_complexity, estimated_cost_vector_json, components_affected, bootstrap_phase,
  human_reviewed, human_corrections_json, status, metadata, updated_at
)
SELECT task_id, created_at, project_id, user_id, task_type, task_description, requirements_text, semantic_units_json,
  estimated_complexity, actual_complexity, estimated_cost_vector_json, components_affected, bootstrap_phase,
  coalesce(human_reviewed, false), human_corrections_json, coalesce(status, 'pending'), metadata, updated_at
FROM json_to_recordset($1::json) AS fact (
  task_id text, created_at timestamptz, project_id text, user_id text, task_type text, task_description text,
  requirements_text text, semantic_units_json jsonb, estimated_complexity integer, actual_complexity integer,
  estimated_cost_vector_json jsonb, components_affected text[], bootstrap_phase text, human_reviewed boolean,
  human_corrections_json jsonb, status text, metadata jsonb, updated_at timestamptz
)
ORDER BY task_id
ON CONFLICT (task_id) DO NOTHING
RETURNING task_id;

-- The rows are locked here, in the order of their ids, and only then merged and summed up, in the statements that follow:
-- each of those sees what the writers before it have committed.
-- name: lock_tasks
SELECT task_id, CASE WHEN task_id = ANY ($2::text[]) THEN metadata END AS metadata
FROM task_metadata WHERE task_id = ANY ($1::text[]) ORDER BY task_id FOR NO KEY UPDATE;

-- Facts merge: what is not given never overwrites what is known.
-- name: merge_tasks
UPDATE task_metadata AS task SET
  created_at = least(task.created_at, fact.created_at),
  project_id = coalesce(fact.project_id, task.project_id),
  user_id = coalesce(fact.user_id, task.user_id),
  task_type = coalesce(fact.task_type, task.task_type),
  task_description = coalesce(fact.task_description, task.task_description),
  requirements_text = coalesce(fact.requirements_text, task.requirements_text),
  semantic_units_json = coalesce(fact.semantic_units_json, task.semantic_units_json),
  estimated_complexity = coalesce(fact.estimated_complexity, task.estimated_complexity),
  actual_complexity = coalesce(fact.actual_complexity, task.actual_complexity),
  estimated_cost_vector_json = coalesce(fact.estimated_cost_vector_json, task.estimated_cost_vector_json),
  components_affected = coalesce(fact.components_affected, task.components_affected),
  bootstrap_phase = coalesce(fact.bootstrap_phase, task.bootstrap_phase),
  human_reviewed = coalesce(fact.human_reviewed, task.human_reviewed),
  human_corrections_json = coalesce(fact.human_corrections_json, task.human_corrections_json),
  status = coalesce(fact.status, task.status),
  metadata = coalesce(fact.metadata, task.metadata),
  updated_at = greatest(task.updated_at, fact.updated_at)
FROM json_to_recordset($1::json) AS fact (
  task_id text, created_at timestamptz, project_id text, user_id text, task_type text, task_description text,
  requirements_text text, semantic_units_json jsonb, estimated_complexity integer, actual_complexity integer,
  estimated_cost_vector_json jsonb, components_affected text[], bootstrap_phase text, human_reviewed boolean,
  human_corrections_json jsonb, status text, metadata jsonb, updated_at timestamptz
)
WHERE task.task_id = fact.task_id;

-- A task is in progress while one of its executions is; else it is as the last of them ended. The earliest start and
-- the latest end are kept. Worked out from the executions, so that the order of arrival does not matter.
-- name: update_task_status
UPDATE task_metadata AS task SET
  started_at = least(task.started_at, runs.first_start),
  completed_at = CASE WHEN runs.open_runs > 0 THEN task.completed_at
                 ELSE greatest(task.completed_at, coalesce(runs.last_end, runs.last_seen)) END,
  status = CASE WHEN runs.open_runs > 0 THEN 'in_progress' WHEN runs.last_status = 'success' THEN 'completed'
           ELSE 'failed' END,
  metadata = CASE
    WHEN runs.open_runs > 0 OR runs.last_status = 'success'
      THEN CASE WHEN task.metadata ->> 'failure' IS NULL THEN task.metadata
           ELSE nullif(task.metadata - 'failure', '{}'::jsonb) END
    ELSE jsonb_set(coalesce(task.metadata, '{}'::jsonb), ARRAY['failure'], to_jsonb(runs.reason)) END,
  updated_at = greatest(task.updated_at, runs.last_update)
FROM (
  SELECT task_id, min(started_at) AS first_start, max(completed_at) AS last_end,
    max(updated_at) AS last_update, max(coalesce(completed_at, updated_at)) AS last_seen,
    count(*) FILTER (WHERE status = 'in_progress') AS open_runs,
    (array_agg(status ORDER BY coalesce(completed_at, started_at) DESC))[1] AS last_status,
    (array_agg(CASE WHEN status = 'abandoned' THEN 'abandoned: its process ended before the task did'
                    ELSE status || ': ' || coalesce(error_type, 'unknown') END
               ORDER BY coalesce(completed_at, started_at) DESC))[1] AS reason
  FROM execution_traces
  WHERE task_id = ANY ($1::text[]) AND kind = 'task'
  GROUP BY task_id
) AS runs
WHERE task.task_id = runs.task_id;

-- name: roll_up_tasks
UPDATE task_metadata AS task SET
  actual_cost_vector_json = (
    SELECT jsonb_build_object(
      'latency_ms', trim_scale(round(sum(metric_value) FILTER (WHERE metric_type = 'Latency' AND NOT nested), 6)),
      'tokens', (sum(metric_value) FILTER (WHERE metric_type IN ('Tokens_In', 'Tokens_Out')))::bigint,
      'api_cost_usd', trim_scale(round(sum(metric_value) FILTER (WHERE metric_type = 'API_Cost'), 10)))
    FROM agent_cost_vector AS cost WHERE cost.task_id = task.task_id),
  defect_count = (
    SELECT count(*) FROM defect_log AS defect
    WHERE defect.task_id = task.task_id AND NOT coalesce(false_positive, false)),
  defect_density = (
    SELECT round(count(*) * 1.0 / nullif(coalesce(task.actual_complexity, task.estimated_complexity), 0), 3)
    FROM defect_log AS defect WHERE defect.task_id = task.task_id AND NOT coalesce(false_positive, false))
WHERE task_id = ANY ($1::text[]) AND status IN ('completed', 'failed');

-- name: checkpoints
SELECT journal_id, position, stored, rejected, drop_reasons FROM journal_checkpoints
WHERE starts_with(journal_id, $1::text || '/');

-- name: all_checkpoints
SELECT journal_id, position, stored, rejected, dropped, drop_reasons, updated_at FROM journal_checkpoints
ORDER BY journal_id;

-- Checkpoints of journals whose files are gone are folded into one row, so that the account of losses stays whole.
-- name: fold_lanes
WITH gone AS (
  DELETE FROM journal_checkpoints WHERE starts_with(journal_id, $1::text || '/') RETURNING stored, rejected, dropped
)
INSERT INTO journal_checkpoints AS retired (journal_id, position, stored, rejected, dropped, updated_at)
SELECT 'retired', 0, sum(stored), sum(rejected), sum(dropped), $2::text::timestamptz FROM gone
HAVING count(*) > 0
ON CONFLICT (journal_id) DO UPDATE SET
  stored = retired.stored + excluded.stored, rejected = retired.rejected + excluded.rejected,
  dropped = retired.dropped + excluded.dropped, updated_at = excluded.updated_at;

-- name: abandon_traces
UPDATE execution_traces SET status = 'abandoned', success = false, updated_at = $2::text::timestamptz,
  error_message = 'its process ended before it did'
WHERE status = 'in_progress' AND context ->> 'journal_id' = $1::text
RETURNING task_id, kind;
