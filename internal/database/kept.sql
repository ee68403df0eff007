-- What moves have kept in a server.
\connect postgres
SELECT datname, pg_database_size(datname) FROM pg_database
WHERE datname ~ '^app_before_[0-9]{8}-[0-9]{6}-[a-z0-9]+$' ORDER BY datname;
