-- What the commands ask of an SQLite database; each block is one statement, by the name in its first line.

-- name: tables
SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name;

-- name: has_page_statistics
SELECT count(*) FROM pragma_module_list WHERE name = 'dbstat';

-- Indexes, those that SQLite makes by itself included, count towards their table.
-- name: sizes
SELECT object.tbl_name,
  sum(CASE WHEN object.type = 'table' THEN pages.pgsize ELSE 0 END) AS table_bytes,
  sum(CASE WHEN object.type = 'index' THEN pages.pgsize ELSE 0 END) AS index_bytes
FROM dbstat AS pages JOIN sqlite_schema AS object ON object.name = pages.name
WHERE pages.aggregate = TRUE
GROUP BY object.tbl_name;

-- name: size
SELECT page_count * page_size FROM pragma_page_count, pragma_page_size;

-- name: free_share
SELECT freelist_count * 1.0 / max(page_count, 1) FROM pragma_freelist_count, pragma_page_count;

-- name: rejections
SELECT reason, count(*) AS number, max(rejected_at) AS last_at FROM rejected_records
GROUP BY reason ORDER BY last_at DESC, reason LIMIT :limit;

-- Resolved or fixed, and never logged: the writer's statement for `log_defect` replaces the text.
-- name: unlogged_defects
SELECT defect_id, count(*) OVER () AS number FROM defect_log
WHERE description = 'not yet logged' AND phase_injected = 'unknown' AND created_at < :before
ORDER BY created_at DESC, defect_id LIMIT :limit;
