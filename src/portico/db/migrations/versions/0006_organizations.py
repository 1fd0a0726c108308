"""Organizations: members, invitations, teams, domains.

Revision: 0006, after 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "portico_organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("slug_key", sa.String(length=120), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["portico_tenants.id"], name=op.f("fk_portico_organizations_id_portico_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_organizations")),
    )
    op.create_index(
        "uq_portico_organizations_slug_key",
        "portico_organizations",
        ["slug_key"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_portico_organizations_created_at_id_living",
        "portico_organizations",
        ["created_at", "id"],
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_portico_organizations_deleted_at",
        "portico_organizations",
        ["deleted_at"],
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "portico_memberships",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("how", sa.String(length=40), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        _belongs("memberships"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["portico_users.id"],
            name=op.f("fk_portico_memberships_user_id_portico_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_portico_memberships")),
    )
    op.create_index("ix_portico_memberships_user_id", "portico_memberships", ["user_id", "organization_id"])
    op.create_index(
        "ix_portico_memberships_joined_at", "portico_memberships", ["organization_id", "joined_at", "user_id"]
    )
    _create_invitations()
    _create_teams()
    _create_domains()
    _create_departures()


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["portico_organizations.id"],
        name=op.f(f"fk_portico_{table}_organization_id_portico_organizations"),
        ondelete="CASCADE",
    )


def _create_invitations() -> None:
    op.create_table(
        "portico_invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("roles", DOCUMENT, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        _belongs("invitations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_invitations")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_portico_invitations_secret_hash")),
    )
    op.create_index("ix_portico_invitations_address", "portico_invitations", ["address", "organization_id"])
    is_open = sa.text("accepted_at IS NULL AND declined_at IS NULL AND revoked_at IS NULL")
    op.create_index(
        "uq_portico_invitations_open",
        "portico_invitations",
        ["organization_id", "address"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index(op.f("ix_portico_invitations_expires_at"), "portico_invitations", ["expires_at"])
    op.create_index(
        op.f("ix_portico_invitations_organization_id"), "portico_invitations", ["organization_id"]
    )


def _create_teams() -> None:
    op.create_table(
        "portico_teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=400), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["portico_groups.id"],
            name=op.f("fk_portico_teams_id_portico_groups"),
            ondelete="CASCADE",
        ),
        _belongs("teams"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_teams")),
        sa.UniqueConstraint("organization_id", "slug", name="uq_portico_teams_slug"),
    )


def _create_domains() -> None:
    op.create_table(
        "portico_domains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("challenge", sa.String(length=60), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_checks", sa.Integer(), nullable=False),
        sa.Column("joins_automatically", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _belongs("domains"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_domains")),
        sa.UniqueConstraint("organization_id", "domain", name="uq_portico_domains_domain"),
    )
    op.create_index(
        "uq_portico_domains_proven",
        "portico_domains",
        ["domain"],
        unique=True,
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_portico_domains_checked_at"), "portico_domains", ["checked_at"])


def _create_departures() -> None:
    op.create_table(
        "portico_departures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("address_mac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        _belongs("departures"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_departures")),
        sa.UniqueConstraint("organization_id", "user_id", name="uq_portico_departures_user_id"),
    )
    op.create_index(
        "ix_portico_departures_address_mac", "portico_departures", ["organization_id", "address_mac"]
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("portico_departures")
    op.drop_table("portico_domains")
    op.drop_table("portico_teams")
    op.drop_table("portico_invitations")
    op.drop_table("portico_memberships")
    op.drop_table("portico_organizations")
