-- How well the router routes, and whether offering patterns helps; both databases understand it. Shares are added up as
-- whole millionths, so that a sum does not depend on the order of its parts.

-- name: quality
  count(*) AS decisions,
  CAST(sum(CAST(total_routing_time_us AS bigint)) AS double precision) / nullif(count(total_routing_time_us), 0)
    AS average_us,
  max(total_routing_time_us) AS max_us,
  count(*) FILTER (WHERE total_routing_time_us > 100000) AS over_target,
  count(*) FILTER (WHERE cache_hit) AS cache_hits,
  count(*) FILTER (WHERE NOT cache_hit) AS cache_misses,
  CAST(sum(CAST(round(confidence_score * 1000000) AS bigint)) AS double precision) / nullif(count(confidence_score), 0) / 1000000
    AS confidence,
  CAST(sum(CAST(round(trigger_confidence * 1000000) AS bigint)) AS double precision) / nullif(count(trigger_confidence), 0) / 1000000
    AS trigger_confidence,
  CAST(sum(CAST(round(context_confidence * 1000000) AS bigint)) AS double precision) / nullif(count(context_confidence), 0) / 1000000
    AS context_confidence,
  CAST(sum(CAST(round(capability_confidence * 1000000) AS bigint)) AS double precision) / nullif(count(capability_confidence), 0) / 1000000
    AS capability_confidence,
  CAST(sum(CAST(round(historical_confidence * 1000000) AS bigint)) AS double precision) / nullif(count(historical_confidence), 0) / 1000000
    AS historical_confidence,
  count(*) FILTER (WHERE selection_validated) AS validated,
  count(actual_success) AS judged,
  count(*) FILTER (WHERE actual_success) AS successes,
  CAST(sum(CAST(round(prediction_error * 1000000) AS bigint)) AS double precision) / nullif(count(prediction_error), 0) / 1000000
    AS prediction_error,
  CAST(sum(CAST(round(abs(prediction_error) * 1000000) AS bigint)) AS double precision) / nullif(count(prediction_error), 0) / 1000000
    AS absolute_prediction_error,
  count(total_routing_time_us) AS measured

-- name: decided
FROM router_performance_metrics AS inside
WHERE metric_type = 'routing_decision' AND measured_at >= :since AND measured_at < :until AND {in_traces}

-- name: by_strategy
WITH counted AS MATERIALIZED (
  SELECT
    selection_strategy, {quality}, CAST(sum(count(*)) OVER (ORDER BY selection_strategy) AS bigint) - count(*) AS before
  {decided}
  GROUP BY selection_strategy
), placed AS NOT MATERIALIZED (
  SELECT
    total_routing_time_us AS duration,
    row_number() OVER (ORDER BY selection_strategy, total_routing_time_us NULLS LAST) AS place
  {decided}
), {picked}
SELECT selection_strategy AS strategy, p50 AS p50_us, p95 AS p95_us, p99 AS p99_us, counted.*
FROM counted {percentiles}
ORDER BY decisions DESC, selection_strategy NULLS FIRST;

-- name: by_agent
WITH counted AS MATERIALIZED (
  SELECT
    selected_agent, {quality}, CAST(sum(count(*)) OVER (ORDER BY selected_agent) AS bigint) - count(*) AS before
  {decided}
  GROUP BY selected_agent
), placed AS NOT MATERIALIZED (
  SELECT
    total_routing_time_us AS duration,
    row_number() OVER (ORDER BY selected_agent, total_routing_time_us NULLS LAST) AS place
  {decided}
), {picked}
SELECT p50 AS p50_us, p95 AS p95_us, p99 AS p99_us, counted.*
FROM counted {percentiles}
ORDER BY decisions DESC, selected_agent NULLS FIRST;

-- name: patterns
SELECT
  pattern.id AS pattern_id, intent, prompt_text AS template, agent, success_score, coalesce(offered, 0) AS offered, coalesce(used, 0) AS used,
  coalesce(successes, 0) AS successes, coalesce(partial_successes, 0) AS partial_successes,
  coalesce(failures, 0) AS failures,
  average_match, average_variance, last_used_at
FROM success_patterns AS pattern
LEFT JOIN (
  SELECT
    pattern_id, count(*) AS offered, count(*) FILTER (WHERE used) AS used,
    count(*) FILTER (WHERE used AND success) AS successes,
    count(*) FILTER (WHERE used AND NOT success AND outcome = 'partial_success') AS partial_successes,
    count(*) FILTER (WHERE used AND NOT success AND (outcome IS NULL OR outcome <> 'partial_success')) AS failures,
    CAST(sum(CAST(round(match_score * 1000000) AS bigint)) AS double precision) / nullif(count(match_score), 0) / 1000000
      AS average_match,
    CAST(sum(CAST(round(performance_variance * 1000000) AS bigint)) AS double precision) / nullif(count(performance_variance), 0) / 1000000
      AS average_variance
  FROM pattern_usage_log AS inside
  WHERE used_at >= :since AND used_at < :until AND {in_traces}
  GROUP BY pattern_id
) AS log ON log.pattern_id = pattern.id
ORDER BY offered DESC, pattern.id;
