-- What `asp-telemetry copy` asks of a PostgreSQL database; each block is one statement or several without parameters, by
-- the name in its first line. Rows themselves come through cursors and COPY, whose columns the program fills in.

-- One view of the whole database for as long as reading it takes; nothing may hide rows from it, or cut it short.
-- name: begin_to_read
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL DateStyle TO 'ISO, YMD';
SET LOCAL extra_float_digits TO 1;
SET LOCAL row_security TO off;
SELECT set_config(name, '0', true) FROM pg_settings
WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');

-- name: begin
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL TimeZone TO 'UTC';
SET LOCAL DateStyle TO 'ISO, YMD';
SET LOCAL row_security TO off;
SET LOCAL lock_timeout TO '30s';
SET LOCAL statement_timeout TO 0;
SET LOCAL idle_in_transaction_session_timeout TO '60s';
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';

-- name: commit
COMMIT;

-- name: roll_back
ROLLBACK;

-- Tables that this user may not copy into: triggers are switched off for the time of a batch, which only owners may.
-- name: not_owned
SELECT relname::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])
  AND NOT pg_has_role(relowner, 'USAGE')
ORDER BY relname;

-- Triggers that would change rows on their way in, or count them once more. Those of TimescaleDB keep its tables right,
-- and it refuses to switch any off where there is compression.
-- name: insert_triggers
SELECT relname::text, tgname::text FROM pg_trigger
JOIN pg_class ON pg_class.oid = tgrelid
JOIN pg_proc ON pg_proc.oid = tgfoid
JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[])
  AND NOT tgisinternal AND tgenabled = 'O' AND tgtype::integer & 4 <> 0
  AND nspname NOT LIKE '\_timescaledb\_%'
ORDER BY relname, tgname;

-- name: identity_columns
SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[]) AND attidentity <> ''
ORDER BY relname;

-- name: begin_mark
INSERT INTO journal_checkpoints (journal_id, position, updated_at) VALUES ($1::text, 0, now());

-- The compare-and-set by which of two copies into this database one stops.
-- name: move_mark
UPDATE journal_checkpoints SET position = position + 1, updated_at = now()
WHERE journal_id = $1::text AND position = $2::bigint;

-- Writers that commit now wait, and then find another identity.
-- name: own_checkpoints
LOCK TABLE journal_checkpoints, database_identity IN EXCLUSIVE MODE;

-- name: forget_own_identity
DELETE FROM journal_checkpoints;
DELETE FROM database_identity;
