"""The notebook's tables."""

from uuid import UUID

from sqlalchemy import Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

import portico.organizations.models  # noqa: F401 - what scoped tables refer to
from portico.db import Base, Identified
from portico.db.privileges import APPEND_ONLY
from portico.db.tenancy import TenantScoped, within_organization


class Stamp(Identified, Base):
    """Something that happened; rows are added and never changed."""

    __tablename__ = "test_stamps"
    __table_args__ = ({"info": {APPEND_ONLY: True}},)

    text: Mapped[str] = mapped_column(String(80))


class Notebook(TenantScoped, Identified, Base):
    """What notes stand in."""

    __tablename__ = "test_notebooks"

    title: Mapped[str] = mapped_column(String(80))
    entries: Mapped[list["Entry"]] = relationship(
        back_populates="notebook", lazy="raise", cascade="all, delete-orphan", passive_deletes=True
    )


class Entry(TenantScoped, Identified, Base):
    """A note in a notebook of the same organization."""

    __tablename__ = "test_notes"
    __table_args__ = (
        within_organization("notebook_id", "test_notebooks.id"),
        Index("ix_test_notes_text", "organization_id", "text"),
    )

    notebook_id: Mapped[UUID] = mapped_column(Uuid)
    text: Mapped[str] = mapped_column(String(80))
    notebook: Mapped[Notebook] = relationship(back_populates="entries", lazy="raise")
