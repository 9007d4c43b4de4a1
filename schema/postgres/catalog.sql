-- Lists what stands in the current schema, one line per object, without the schema's own name: for comparing two.
SELECT
  relation.relname AS object,
  'columns ' || string_agg(
    concat_ws(' ', quote_ident(attribute.attname), format_type(attribute.atttypid, attribute.atttypmod),
      CASE WHEN attribute.attnotnull THEN 'not null' END, nullif(attribute.attidentity::text, ''),
      nullif(attribute.attgenerated::text, ''), pg_get_expr(adbin, adrelid)), ', ' ORDER BY attribute.attnum) AS line
FROM pg_class AS relation
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
LEFT JOIN pg_attrdef ON adrelid = relation.oid AND adnum = attribute.attnum
WHERE relation.relkind IN ('r', 'p', 'v', 'm') AND relation.relnamespace = current_schema()::regnamespace
GROUP BY relation.oid, relation.relname
UNION ALL
SELECT relname, concat_ws(' ', 'kind', relkind::text, relrowsecurity::text, reloptions::text)
FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT relname, 'view ' || pg_get_viewdef(oid)
FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = current_schema()::regnamespace
UNION ALL
SELECT tablename, replace(indexdef, ' ON ' || quote_ident(schemaname) || '.', ' ON ')
FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
-- NOT NULL is told by the columns; PostgreSQL lists it here since version 18
SELECT conrelid::regclass::text, 'constraint ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype <> 'n' AND conrelid <> 0 AND connamespace = current_schema()::regnamespace
UNION ALL
SELECT relname, replace(pg_get_triggerdef(pg_trigger.oid), ' ON ' || quote_ident(current_schema()) || '.', ' ON ')
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
UNION ALL
-- grants, by whom does not matter
SELECT table_name, concat_ws(' ', 'grant', grantee, string_agg(privilege_type, ', ' ORDER BY privilege_type))
FROM information_schema.role_table_grants
WHERE table_schema = current_schema() AND grantee IN ('service_role', 'authenticated', 'anon', 'PUBLIC')
GROUP BY table_name, grantee
UNION ALL
SELECT tablename, concat_ws(' ', 'policy', policyname, cmd, roles::text, qual, with_check)
FROM pg_policies WHERE schemaname = current_schema()
UNION ALL
SELECT proname, replace(pg_get_functiondef(oid), 'FUNCTION ' || quote_ident(current_schema()) || '.', 'FUNCTION ')
FROM pg_proc WHERE prokind = 'f' AND pronamespace = current_schema()::regnamespace
  -- what extensions bring is theirs
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
ORDER BY 1, 2;
