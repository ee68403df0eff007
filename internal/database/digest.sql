-- What a database has, as the platform counts it: the rows of each table with a number that follows from all of them, in
-- whatever order; where sequences are; and how many there are of what has no rows. An extension's is not the application's.
-- Two versions print values alike by these settings.
SET search_path = '';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET row_security = off;
SELECT format('SELECT %L, count(*), coalesce(sum(pg_catalog.hashtextextended(_row_::text, 0)), 0) FROM ONLY %I.%I AS _row_', n.nspname || '.' || c.relname, n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname \gexec
SELECT 'sequence ' || schemaname || '.' || sequencename, coalesce(last_value, 0), 0 FROM pg_sequences ORDER BY 1;
SELECT CASE c.relkind WHEN 'i' THEN 'indexes' WHEN 'I' THEN 'indexes of partitions' WHEN 'v' THEN 'views' WHEN 'm' THEN 'materialized views' WHEN 'p' THEN 'partitioned tables'
       WHEN 'f' THEN 'foreign tables' WHEN 'S' THEN 'sequences' WHEN 'c' THEN 'types' END, count(*), 0
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind NOT IN ('r', 't') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indrelid AND d.deptype = 'e' WHERE i.indexrelid = c.oid)
   AND (c.relkind <> 'i' OR EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indisvalid)) -- no copy has those
 GROUP BY c.relkind ORDER BY 1;
SELECT 'functions', count(*), 0 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
SELECT 'triggers', count(*), 0 FROM pg_trigger WHERE NOT tgisinternal;
SELECT 'large objects', count(*), 0 FROM pg_largeobject_metadata;
