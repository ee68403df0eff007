"""Alembic's entry: runs the migrations on the connection that tarot.migrate opened."""

from alembic import context

from tarot.migrate import is_ours
from tarot.models import Base

connection = context.config.attributes["connection"]
# SQLite can roll schema changes back, so a migration happens entirely or not at all.
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_name=is_ours,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
