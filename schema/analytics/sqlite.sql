-- What SQLite says in its own way; parts of questions, not statements. Money is kept as doubles, so it is added up as
-- whole numbers of 1e-10 USD, and time as whole nanoseconds: sums are exact, and the same in any order.

-- name: day
substr(timestamp, 1, 10)

-- name: usd
sum(CAST(round(metric_value * 10000000000) AS INTEGER))

-- name: ms
sum(CAST(round(metric_value * 1000000) AS INTEGER))

-- name: duration
sum(CAST(round(duration_ms * 1000000) AS INTEGER))
