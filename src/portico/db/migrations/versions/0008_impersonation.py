"""Impersonation.

Revision: 0008, after 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go up."""
    op.add_column("portico_sessions", sa.Column("actor_id", sa.Uuid(), nullable=True))
    op.add_column("portico_sessions", sa.Column("actor_session_id", sa.Uuid(), nullable=True))
    op.add_column("portico_sessions", sa.Column("impersonation_reason", sa.String(length=200), nullable=True))
    for column in ("actor_id", "actor_session_id"):
        op.create_index(
            f"ix_portico_sessions_{column}",
            "portico_sessions",
            [column],
            sqlite_where=sa.text("actor_id IS NOT NULL"),
            postgresql_where=sa.text("actor_id IS NOT NULL"),
        )


def downgrade() -> None:
    """Go down."""
    for column in ("actor_session_id", "actor_id"):
        op.drop_index(f"ix_portico_sessions_{column}", table_name="portico_sessions")
    for column in ("impersonation_reason", "actor_session_id", "actor_id"):
        op.drop_column("portico_sessions", column)
