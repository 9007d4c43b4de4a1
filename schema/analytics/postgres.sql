-- What PostgreSQL says in its own way; parts of questions, not statements.

-- name: day
execution_date

-- name: usd
sum(metric_value)

-- name: ms
sum(round(metric_value, 6))

-- name: duration
sum(duration_ms)
