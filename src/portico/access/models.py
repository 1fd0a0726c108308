"""Principals and what they are granted."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.access.types import PlatformRole
from portico.db.base import NamedTable
from portico.db.columns import EnumText, UtcDateTime
from portico.db.mixins import Identified
from portico.http.authentication import PrincipalKind


class PrincipalRow(Identified, NamedTable):
    """Whoever can hold rights: people, service accounts and OAuth clients share these ids."""

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
