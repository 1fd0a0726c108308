"""What joins sessions, grants, organizations and jobs: how long a grant is good by itself,
into which teams an invitation leads, who asked for a job, and which addresses were proven.

Revision: 0012, after 0011
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.add_column("portico_oauth_grants", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("portico_invitations", sa.Column("teams", DOCUMENT, nullable=True))
    for table in ("portico_jobs", "portico_outbox"):
        for column in ("principal_id", "actor_id"):
            op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True))
    op.add_column(
        "portico_email_addresses", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_portico_oauth_grants_expires_at",
        "portico_oauth_grants",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL AND ended_at IS NULL"),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_portico_oauth_grants_expires_at", table_name="portico_oauth_grants")
    op.drop_column("portico_email_addresses", "proven_at")
    for table in ("portico_outbox", "portico_jobs"):
        for column in ("actor_id", "principal_id"):
            op.drop_column(table, column)
    op.drop_column("portico_invitations", "teams")
    op.drop_column("portico_oauth_grants", "expires_at")
