"""First notes.

Revision: 0001, after nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

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


def downgrade() -> None:
    """Go down."""
    op.drop_table("test_stamps")
