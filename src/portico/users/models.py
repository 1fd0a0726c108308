"""People and their e-mail addresses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql import text

from portico.db.base import NamedTable
from portico.db.columns import EnumText, UtcDateTime
from portico.db.mixins import SoftDeleted, Timestamped, Versioned
from portico.users.types import UserStatus


class User(SoftDeleted, Timestamped, Versioned, NamedTable):
    """A person. The id is that of his principal. `username_key` is the skeleton by which look-alikes collide.

    A deleted person keeps his row until the purge; erased, only id, times and status are left.
    """

    table = "users"
    __table_args__ = (
        Index(
            "uq_portico_users_username_key_living",
            "username_key",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Of the living only, because lists show no others: else planners take "not deleted" for rare, and sort.
        Index(
            "ix_portico_users_created_at_id_living",
            "created_at",
            "id",
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_principals.id", ondelete="CASCADE"), primary_key=True
    )
    username: Mapped[str | None] = mapped_column(String(40))
    username_key: Mapped[str | None] = mapped_column(String(80))
    full_name: Mapped[str | None] = mapped_column(String(200))
    locale: Mapped[str] = mapped_column(String(16), default="en")
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    status: Mapped[UserStatus] = mapped_column(EnumText(UserStatus), default=UserStatus.ACTIVE)
    purge_after: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EmailAddress(Timestamped, NamedTable):
    """An address of a person: as typed, and in the normal form by which it is compared.

    Unique among the living: `released_at` is set when the person is deleted, and then anyone may take it.
    """

    table = "email_addresses"
    __table_args__ = (
        Index(
            "uq_portico_email_addresses_normal_form_living",
            "normal_form",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("portico_users.id", ondelete="CASCADE"), index=True
    )
    address: Mapped[str] = mapped_column(String(320))
    normal_form: Mapped[str] = mapped_column(String(320))
    is_primary: Mapped[bool] = mapped_column(Boolean, default=True)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    proven_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the person showed that he reads the mail there; an address that was only asserted to be his is verified,
    and not proven."""
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
