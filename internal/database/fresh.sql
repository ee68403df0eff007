-- Takes the database out of the way: that of an earlier attempt of this run goes, one that has
-- tables otherwise keeps them under another name, and an empty one goes.
\connect postgres
SET client_min_messages = warning;
SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'app') AS there,
  coalesce((SELECT shobj_description(oid, 'pg_database') = :'run' FROM pg_database WHERE datname = 'app'), false) AS ours \gset
\if :there
\connect app
SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')) AND NOT :'ours'::boolean AS keep \gset
\connect postgres
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'app' \g /dev/null
\if :keep
ALTER DATABASE app RENAME TO :"before";
\else
DROP DATABASE app WITH (FORCE);
\endif
\endif
