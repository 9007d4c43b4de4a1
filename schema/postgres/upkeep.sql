-- What the commands ask of a PostgreSQL database; each block is one statement, by the name in its first line.

-- name: tables
SELECT relname::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname = ANY ($1::text[])
ORDER BY relname;

-- name: identity
SELECT id::text FROM database_identity;

-- name: size
SELECT pg_database_size(current_database());

-- Where the planner has no estimate yet, it says -1.
-- name: sizes
SELECT relation.relname::text AS table, greatest(coalesce(statistics.n_live_tup, relation.reltuples::bigint), 0) AS rows,
  pg_table_size(relation.oid) AS table_bytes, pg_indexes_size(relation.oid) AS index_bytes,
  coalesce(statistics.n_dead_tup, 0) AS dead_rows
FROM pg_class AS relation
LEFT JOIN pg_stat_user_tables AS statistics ON statistics.relid = relation.oid
WHERE relation.relnamespace = current_schema()::regnamespace AND relation.relkind IN ('r', 'p')
  AND relation.relname = ANY ($1::text[])
ORDER BY pg_total_relation_size(relation.oid) DESC, relation.relname;

-- Keys enforce something even if nobody looks anything up by them.
-- name: unused_indexes
SELECT usage.indexrelname::text AS index, usage.relname::text AS table, pg_relation_size(usage.indexrelid) AS bytes,
  to_char(coalesce(counted.stats_reset, pg_postmaster_start_time()) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS since
FROM pg_stat_user_indexes AS usage
JOIN pg_index USING (indexrelid)
CROSS JOIN (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS counted
WHERE usage.schemaname = current_schema() AND usage.relname = ANY ($1::text[])
  AND usage.idx_scan = 0 AND NOT indisunique AND pg_relation_size(usage.indexrelid) >= $2::bigint
ORDER BY bytes DESC, index;

-- Indexes that a rebuild or a crash has left unusable; the parts of a hypertable are TimescaleDB's.
-- name: invalid_indexes
SELECT index.relname::text FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_class AS relation ON relation.oid = indrelid
WHERE index.relnamespace = current_schema()::regnamespace AND relation.relname = ANY ($1::text[])
  AND NOT (indisvalid AND indisready)
ORDER BY 1;

-- B-trees of at least $2 bytes that take more than twice what their rows would fill at nine tenths: an entry is its key,
-- eight bytes of header and four of pointer (https://www.postgresql.org/docs/current/storage-page-layout.html). Equal
-- keys are stored once, so that the estimate errs on the large side.
-- name: bloated_indexes
SELECT index.relname::text FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_am ON pg_am.oid = index.relam AND amname = 'btree'
JOIN pg_class AS relation ON relation.oid = indrelid AND relation.relkind = 'r'
CROSS JOIN LATERAL (
  SELECT sum(coalesce(statistics.avg_width, 16)) AS bytes
  FROM pg_attribute AS attribute
  LEFT JOIN pg_stats AS statistics ON statistics.schemaname = current_schema()
    AND statistics.tablename = relation.relname AND statistics.attname = attribute.attname
  WHERE attribute.attrelid = relation.oid AND attribute.attnum = ANY (indkey::int2[])
) AS key
WHERE index.relnamespace = current_schema()::regnamespace AND relation.relname = ANY ($1::text[])
  AND index.reltuples >= 0 AND pg_relation_size(index.oid) >= $2::bigint
  AND pg_relation_size(index.oid) > 2 * index.reltuples * (coalesce(key.bytes, 16) + 20) / 0.9
ORDER BY 1;

-- name: checksum_failures
SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database();

-- name: checkpoints
SELECT journal_id, position, stored, rejected, dropped, drop_reasons,
  to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS updated_at
FROM journal_checkpoints ORDER BY journal_id;

-- name: rejections
SELECT reason, count(*) AS number,
  to_char(max(rejected_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS last_at
FROM rejected_records GROUP BY reason ORDER BY max(rejected_at) DESC, reason LIMIT $1::bigint;

-- name: timescaledb
SELECT (SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
  (SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb') AS installed,
  current_setting('server_version') AS version;

-- name: hypertables
SELECT hypertable_name::text FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema() AND hypertable_name = ANY ($1::text[]) ORDER BY 1;

-- The sizes of a hypertable are those of its chunks.
-- name: hypertable_sizes
SELECT hypertable_name::text AS table, coalesce(size.table_bytes, 0) + coalesce(size.toast_bytes, 0) AS table_bytes,
  coalesce(size.index_bytes, 0) AS index_bytes
FROM timescaledb_information.hypertables
CROSS JOIN LATERAL hypertable_detailed_size(format('%I.%I', hypertable_schema, hypertable_name)::regclass) AS size
WHERE hypertable_schema = current_schema() AND hypertable_name = ANY ($1::text[]);

-- name: aggregates
SELECT view_name::text FROM timescaledb_information.continuous_aggregates WHERE view_schema = current_schema() ORDER BY 1;

-- While nothing is compressed there are no statistics.
-- https://www.tigerdata.com/docs/api/latest/compression/hypertable_compression_stats
-- name: compression
SELECT hypertable_name::text AS table, coalesce(stats.total_chunks, num_chunks) AS chunks,
  coalesce(stats.number_compressed_chunks, 0) AS compressed_chunks,
  stats.before_compression_total_bytes, stats.after_compression_total_bytes
FROM timescaledb_information.hypertables
LEFT JOIN LATERAL hypertable_compression_stats(format('%I.%I', hypertable_schema, hypertable_name)::regclass) AS stats ON true
WHERE hypertable_schema = current_schema() AND hypertable_name = ANY ($1::text[])
ORDER BY 1;

-- Resolved or fixed, and never logged: the writer's statement for `log_defect` replaces the text.
-- name: unlogged_defects
SELECT defect_id, count(*) OVER () AS number FROM defect_log
WHERE description = 'not yet logged' AND phase_injected = 'unknown' AND created_at < $1::timestamptz
ORDER BY created_at DESC, defect_id LIMIT $2::bigint;
