"""Alembic's entry: runs the migrations on the connection that tarot.migrate opened."""

from alembic import context

from tarot.migrate import is_ours
from tarot.models import Base

connection = context.config.attributes["connection"]
# Both kinds of database can roll schema changes back, so a migration happens entirely or not at
# all. SQLite changes a table by making it anew.
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_name=is_ours,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
