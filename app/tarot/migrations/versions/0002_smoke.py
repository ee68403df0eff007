"""Readings of smoke tests are marked.

An expand: the release that is still running inserts without the column and reads without
seeing it, so it works on before and after (docs/migrations.md).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "readings", sa.Column("smoke", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("readings", "smoke")
