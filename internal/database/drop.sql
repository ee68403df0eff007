-- Removes what a move has kept in a server.
\connect postgres
DROP DATABASE :"name";
