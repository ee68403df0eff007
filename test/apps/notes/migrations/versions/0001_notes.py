"""The notes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String, nullable=False))


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("notes")
