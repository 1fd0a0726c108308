"""First documents.

Revision: 0001, after nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from portico.db.tenancy import isolate

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["portico_users.id"],
            name=op.f("fk_documents_author_id_portico_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["portico_organizations.id"],
            name=op.f("fk_documents_organization_id_portico_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_documents_organization_id_id")),
    )
    isolate(op, "documents")
    op.create_index(op.f("ix_documents_author_id"), "documents", ["author_id"], unique=False)


def downgrade() -> None:
    """Go down."""
    op.drop_index(op.f("ix_documents_author_id"), table_name="documents")
    op.drop_table("documents")
