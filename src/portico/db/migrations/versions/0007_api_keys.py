"""API keys and service accounts.

Revision: 0007, after 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go up."""
    _create_keys()
    _create_service_accounts()


def _create_keys() -> None:
    op.create_table(
        "portico_api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("shown_prefix", sa.String(length=12), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("networks", DOCUMENT, nullable=False),
        sa.Column("rate_limit_per_minute", sa.Integer(), nullable=True),
        sa.Column("quota_per_day", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("last_used_address", sa.String(length=64), nullable=True),
        sa.Column("use_count", sa.BigInteger(), nullable=False),
        sa.Column("used_on", sa.Date(), nullable=True),
        sa.Column("used_today", sa.Integer(), nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoked_reason", sa.String(length=40), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("overlap_until", MOMENT, nullable=True),
        sa.Column("remind_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(principal_id IS NULL) = (kind = 'honeytoken')", name=op.f("ck_portico_api_keys_holder")
        ),
        _belongs("api_keys", "principal_id", "portico_principals"),
        _belongs("api_keys", "organization_id", "portico_tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_api_keys")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_portico_api_keys_secret_hash")),
    )
    op.create_index(
        "ix_portico_api_keys_principal_id", "portico_api_keys", ["principal_id", "created_at", "id"]
    )
    op.create_index(
        "ix_portico_api_keys_organization_id", "portico_api_keys", ["organization_id", "created_at", "id"]
    )
    op.create_index("ix_portico_api_keys_created_at", "portico_api_keys", ["created_at", "id"])
    for column in ("created_by", "expires_at", "overlap_until", "remind_at", "revoked_at"):
        op.create_index(op.f(f"ix_portico_api_keys_{column}"), "portico_api_keys", [column])


def _create_service_accounts() -> None:
    op.create_table(
        "portico_service_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=400), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _belongs("service_accounts", "id", "portico_principals"),
        _belongs("service_accounts", "organization_id", "portico_tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_service_accounts")),
    )
    op.create_index(
        "ix_portico_service_accounts_organization_id",
        "portico_service_accounts",
        ["organization_id", "created_at", "id"],
    )


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_portico_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    """Go down."""
    op.drop_table("portico_service_accounts")
    op.drop_table("portico_api_keys")
