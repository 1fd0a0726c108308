"""Principals, tenants, and who holds which role where.

A tenant is an organization as rights see it: an id under which roles are granted. What it is called, and who made it,
is known to `portico.organizations`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.access.types import PlatformRole
from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.db.mixins import Identified, Timestamped, Versioned
from portico.http.authentication import PrincipalKind


class PrincipalRow(Identified, NamedTable):
    """Whoever can hold rights: people, service accounts, organizations and OAuth clients share these ids."""

    table = "principals"

    kind: Mapped[PrincipalKind] = mapped_column(EnumText(PrincipalKind))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Since when it may act no more; its grants stay and count for nothing."""


class RoleGrant(NamedTable):
    """That a principal holds a platform role."""

    table = "role_grants"

    principal_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[PlatformRole] = mapped_column(EnumText(PlatformRole), primary_key=True)
    granted_by: Mapped[UUID | None] = mapped_column(Uuid)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Tenant(Identified, NamedTable):
    """Where roles are granted; `rules` are `SignInRules` as JSON."""

    table = "tenants"

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when every right in it counts for nothing."""
    rules: Mapped[dict[str, Any]] = mapped_column(JsonDocument)


class TenantRole(Identified, Timestamped, Versioned, NamedTable):
    """A role that an organization made: a name and the permissions that it holds."""

    table = "roles"
    __table_args__ = (UniqueConstraint("tenant_id", "name", name="uq_portico_roles_tenant_id_name"),)

    tenant_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(80))
    description: Mapped[str] = mapped_column(String(400))
    permissions: Mapped[list[Any]] = mapped_column(JsonDocument)
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Group(Identified, NamedTable):
    """Principals of one tenant that hold roles together; `organizations` calls it a team."""

    table = "groups"

    tenant_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"), index=True
    )


class GroupMember(NamedTable):
    """That a principal belongs to a group; it counts only for members of the tenant."""

    table = "group_members"

    group_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_groups.id", ondelete="CASCADE"), primary_key=True
    )
    principal_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TenantGrant(Identified, NamedTable):
    """That a principal or a group holds a role in a tenant: one that every tenant has, or one that it made.

    A principal with a grant of his own is a member. `holder_id` is no foreign key, because it is one of two kinds.
    """

    table = "tenant_grants"
    __table_args__ = (
        UniqueConstraint("tenant_id", "holder_id", "role", name="uq_portico_tenant_grants_role"),
        UniqueConstraint("tenant_id", "holder_id", "role_id", name="uq_portico_tenant_grants_role_id"),
        CheckConstraint("(role IS NULL) <> (role_id IS NULL)", name="one_role"),
        Index("ix_portico_tenant_grants_holder_id", "holder_id", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("portico_tenants.id", ondelete="CASCADE"))
    holder_id: Mapped[UUID] = mapped_column(Uuid)
    role: Mapped[str | None] = mapped_column(String(40))
    role_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_roles.id", ondelete="RESTRICT"), index=True
    )
    granted_by: Mapped[UUID | None] = mapped_column(Uuid)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
