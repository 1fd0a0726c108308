"""The table of documents."""

from uuid import UUID

from sqlalchemy import ForeignKey, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from portico.db import Base, Identified, TenantScoped


class Document(TenantScoped, Identified, Base):
    """A text with a title; it belongs to an organization and remembers who wrote it."""

    __tablename__ = "documents"

    author_id: Mapped[UUID | None] = mapped_column(
        Uuid, ForeignKey("portico_users.id", ondelete="SET NULL"), index=True
    )
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
