"""Columns that many tables share."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Uuid
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from portico.core.ids import new_id
from portico.db.columns import UtcDateTime


class Identified:
    """A UUIDv7 primary key, made by the application."""

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id, sort_order=-10)


class Timestamped:
    """When the row was made and last changed; services set both from the clock."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, sort_order=91)


class SoftDeleted:
    """Deleted for people at `deleted_at`, for the database when the purge comes by.

    Without an index of its own: nearly all rows are living, and planners that do not know it would use it for them.
    """

    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None, sort_order=92)


class Versioned:
    """A counter that each update raises; the `ETag` of the resource, and a guard against lost updates."""

    version: Mapped[int] = mapped_column(Integer, default=1, sort_order=93)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, object]:  # noqa: N805 - declared_attr passes the class
        return {"version_id_col": cls.__table__.c.version if hasattr(cls, "__table__") else cls.version}
