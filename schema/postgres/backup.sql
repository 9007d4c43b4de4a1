-- What `asp-telemetry backup` and `restore` ask of a PostgreSQL database; each block runs as one, by the name in its first
-- line. COPY writes values as the session's settings say: they are set to what pg_dump uses, and to UTC.

-- name: begin_snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- Rows that row-level security hides would be missing without a word; with this it is an error instead.
-- name: settings
SET LOCAL row_security TO off;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL DateStyle TO 'ISO, MDY';
SET LOCAL IntervalStyle TO 'postgres';
SET LOCAL bytea_output TO 'hex';
SET LOCAL extra_float_digits TO 3;
SET LOCAL statement_timeout TO 0;
SET LOCAL idle_in_transaction_session_timeout TO 0;

-- name: snapshot
SELECT pg_export_snapshot();

-- name: identity
SELECT id::text FROM database_identity;

-- name: schema
SELECT current_schema();

-- The columns that can be written, of those tables in $1 that exist.
-- name: columns
SELECT relname::text, array_agg(attname::text ORDER BY attnum)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])
  AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
GROUP BY relname ORDER BY relname;

-- name: has_timescaledb
SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL;

-- name: hypertables
SELECT hypertable_name::text FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema() AND hypertable_name = ANY ($1::text[]);

-- Our own ones; those of extensions keep the tables right.
-- name: triggers
SELECT relname::text, tgname::text
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[]) AND NOT tgisinternal
  AND tgenabled = 'O' AND proname LIKE 'asp\_%'
ORDER BY 1, 2;

-- name: identity_columns
SELECT relname::text, attname::text
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[]) AND attidentity <> ''
ORDER BY 1;
