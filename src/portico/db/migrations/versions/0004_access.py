"""Tenants, the roles that they make, who holds which role where, groups.

Revision: 0004, after 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "portico_tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rules", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_tenants")),
    )
    op.create_table(
        "portico_roles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=400), nullable=False),
        sa.Column("permissions", DOCUMENT, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["portico_tenants.id"],
            name=op.f("fk_portico_roles_tenant_id_portico_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_roles")),
        sa.UniqueConstraint("tenant_id", "name", name="uq_portico_roles_tenant_id_name"),
    )
    op.create_table(
        "portico_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["portico_tenants.id"],
            name=op.f("fk_portico_groups_tenant_id_portico_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_groups")),
    )
    op.create_index(op.f("ix_portico_groups_tenant_id"), "portico_groups", ["tenant_id"])
    op.create_table(
        "portico_group_members",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["portico_groups.id"],
            name=op.f("fk_portico_group_members_group_id_portico_groups"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"],
            ["portico_principals.id"],
            name=op.f("fk_portico_group_members_principal_id_portico_principals"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("group_id", "principal_id", name=op.f("pk_portico_group_members")),
    )
    op.create_index(op.f("ix_portico_group_members_principal_id"), "portico_group_members", ["principal_id"])
    op.create_table(
        "portico_tenant_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("holder_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=True),
        sa.Column("role_id", sa.Uuid(), nullable=True),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(role IS NULL) <> (role_id IS NULL)", name=op.f("ck_portico_tenant_grants_one_role")
        ),
        sa.ForeignKeyConstraint(
            ["role_id"],
            ["portico_roles.id"],
            name=op.f("fk_portico_tenant_grants_role_id_portico_roles"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["portico_tenants.id"],
            name=op.f("fk_portico_tenant_grants_tenant_id_portico_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_tenant_grants")),
        sa.UniqueConstraint("tenant_id", "holder_id", "role", name="uq_portico_tenant_grants_role"),
        sa.UniqueConstraint("tenant_id", "holder_id", "role_id", name="uq_portico_tenant_grants_role_id"),
    )
    op.create_index("ix_portico_tenant_grants_holder_id", "portico_tenant_grants", ["holder_id", "tenant_id"])
    op.create_index(op.f("ix_portico_tenant_grants_role_id"), "portico_tenant_grants", ["role_id"])


def downgrade() -> None:
    """Go down."""
    op.drop_table("portico_tenant_grants")
    op.drop_table("portico_group_members")
    op.drop_table("portico_groups")
    op.drop_table("portico_roles")
    op.drop_table("portico_tenants")
