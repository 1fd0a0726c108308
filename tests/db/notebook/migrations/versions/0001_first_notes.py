"""First notes.

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
        "test_stamps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_stamps")),
    )
    op.create_table(
        "test_notebooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        _belongs("test_notebooks"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_notebooks")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_test_notebooks_organization_id_id")),
    )
    op.create_table(
        "test_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("notebook_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "notebook_id"],
            ["test_notebooks.organization_id", "test_notebooks.id"],
            name=op.f("fk_test_notes_organization_id_notebook_id_test_notebooks"),
            ondelete="CASCADE",
        ),
        _belongs("test_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_notes")),
        sa.UniqueConstraint("organization_id", "id", name=op.f("uq_test_notes_organization_id_id")),
    )
    op.create_index("ix_test_notes_text", "test_notes", ["organization_id", "text"])
    isolate(op, "test_notebooks", "test_notes")


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["portico_organizations.id"],
        name=op.f(f"fk_{table}_organization_id_portico_organizations"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    """Go down."""
    for table in ("test_notes", "test_notebooks", "test_stamps"):
        op.drop_table(table)
