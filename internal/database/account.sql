-- Whose the database is from now on, and who copies: an account that is good until the next `up`
-- on PostgreSQL says which one is.
\connect postgres
SET client_min_messages = warning;
COMMENT ON DATABASE app IS :'run';
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'verifier';
GRANT app TO :"role";
ALTER ROLE :"role" SET role = 'app';
