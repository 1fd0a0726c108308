"""The notebook's tables."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portico.db import Base, Identified
from portico.db.privileges import APPEND_ONLY


class Stamp(Identified, Base):
    """Something that happened; rows are added and never changed."""

    __tablename__ = "test_stamps"
    __table_args__ = ({"info": {APPEND_ONLY: True}},)

    text: Mapped[str] = mapped_column(String(80))
