"""Keys that outlive a root secret, and what stands for entries that were let go.

Revision: 0011, after 0010
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "portico_kept_keys",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_kept_keys")),
    )
    op.create_table(
        "portico_audit_let_go",
        sa.Column("link", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_portico_audit_let_go")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("portico_audit_let_go")
    op.drop_table("portico_kept_keys")
