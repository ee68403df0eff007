"""As `alembic init` writes it, with the address from the settings."""

from alembic import context

from database import Base, engine

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
